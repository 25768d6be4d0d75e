"""Which objects a channel stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloche.engines.training import Channel
from cloche.jobs.hosts import Share
from cloche.jobs.sources import Unfit, augmented, of_host, sources
from cloche.storage.objects import ObjectStore

from .test_stage_inputs import store

__all__ = ["store"]

MANIFEST = Channel("train", "data", "m/list.manifest", data_type="ManifestFile")
AUGMENTED = Channel(
    "train",
    "data",
    "m/list.manifest",
    data_type="AugmentedManifestFile",
    input_mode="Pipe",
    attribute_names=("image-ref", "label"),
)


def put(store: ObjectStore, document: object) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    store.put_bytes("data", "m/list.manifest", text.encode())


def test_a_manifest_lists_objects_in_its_order(store: ObjectStore) -> None:
    for key in ("in/b", "in/a", "in/deep/c", "in/unlisted"):
        store.put_bytes("data", key, b"1")
    put(store, [{"prefix": "s3://data/in/"}, "b", "deep/c", "a"])
    assert [(each.info.key, each.name) for each in sources(MANIFEST, store)] == [
        ("in/b", "b"),
        ("in/deep/c", "deep/c"),
        ("in/a", "a"),
    ]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("not json", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ({}, "it must be a list that begins with"),
        ([], "it must be a list that begins with"),
        (["a"], "it must be a list that begins with"),
        ([{"prefix": ""}, "s3://data/in/a"], "it must be a list that begins with"),
        ([{"prefix": "s3://"}, "data/in/a"], "it must be a list that begins with"),
        ([{"prefix": "s3://data/in/"}, 7], "element 1 is no text"),
        ([{"prefix": "s3://data/in/"}, "missing"], "s3://data/in/missing is not there"),
        ([{"prefix": "s3://other/in/"}, "a"], "s3://other/in/a is not there"),
    ],
)
def test_a_manifest_that_is_none(store: ObjectStore, document: object, why: str) -> None:
    put(store, document)
    with pytest.raises(Unfit, match="ClientError: Data download failed: ") as caught:
        list(sources(MANIFEST, store))
    assert why in str(caught.value)


def test_a_manifest_that_is_not_there(store: ObjectStore) -> None:
    with pytest.raises(Unfit, match="Data download failed"):
        list(sources(MANIFEST, store))


def test_an_augmented_manifest_gives_the_attributes_in_the_order_asked_for(store: ObjectStore) -> None:
    store.put_bytes("data", "in/one.png", b"1")
    lines = [
        {"label": 3, "image-ref": "s3://data/in/one.png", "other": 1},
        {"image-ref": "s3://data/in/one.png", "label": "tabby"},
        {"image-ref": "s3://data/in/one.png", "label": {"boxes": [1, 2]}},
    ]
    put(store, "\n".join(map(json.dumps, lines)) + "\n\n")
    found = [[part if isinstance(part, str) else part.key for part in record] for record in augmented(AUGMENTED, store)]
    assert found == [["in/one.png", "3"], ["in/one.png", "tabby"], ["in/one.png", '{"boxes": [1, 2]}']]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "it is no JSON, line 1"),
        ("[]", "line 1 is no JSON object"),
        ('{"label": 1}', "line 1 has no attribute image-ref"),
        ('{"label": 1, "image-ref": 7}', "image-ref is no address in S3"),
        ('{"label": 1, "image-ref": "s3://data/none"}', "s3://data/none is not there"),
        ('{"label": 1, "image-ref": "file:///etc/passwd"}', "is no address of an object in S3"),
    ],
)
def test_an_augmented_manifest_that_is_none(store: ObjectStore, line: str, why: str) -> None:
    put(store, line)
    with pytest.raises(Unfit) as caught:
        list(augmented(AUGMENTED, store))
    assert why in str(caught.value)


def test_hosts_share_what_is_sharded_and_each_gets_all_of_the_rest(store: ObjectStore, tmp_path: Path) -> None:
    for number in range(7):
        store.put_bytes("data", f"in/{number}", b"1")

    def names(host: int, **changes: object) -> list[str]:
        channel = Channel("train", "data", "in/", **changes)  # type: ignore[arg-type]
        return [each.name for each in of_host(channel, sources(channel, store), Share(host, 3))]

    assert names(1) == list("0123456")
    assert [names(host, distribution="ShardedByS3Key") for host in range(3)] == [
        ["0", "3", "6"],
        ["1", "4"],
        ["2", "5"],
    ]
    shuffled = [names(host, distribution="ShardedByS3Key", shuffle_seed=1) for host in range(3)]
    assert shuffled == [names(host, distribution="ShardedByS3Key", shuffle_seed=1) for host in range(3)]
    assert sorted(name for names_ in shuffled for name in names_) == list("0123456")
    assert shuffled != [["0", "3", "6"], ["1", "4"], ["2", "5"]]
