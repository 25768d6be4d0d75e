"""Keys become files: which name, by link or copy, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloche.engines.training import Channel, Plan
from cloche.engines.training.stage_inputs import mounts_of, stage
from cloche.foundation.clock import SystemClock
from cloche.jobs.hosts import Group
from cloche.jobs.place import Place
from cloche.jobs.sources import Unfit, relative_name
from cloche.jobs.staging import COPIED_FILE_BYTES_MAX, GivenUp
from cloche.storage import objects as object_store
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectStore
from cloche.storage.objects.blobs import BLOB_BYTES_MAX

LARGE = b"l" * (BLOB_BYTES_MAX + 1)
PLAN = Plan(
    arn="arn:aws:sagemaker:us-east-1:123456789012:training-job/j",
    name="j",
    account="123456789012",
    region="us-east-1",
    role_arn="arn:aws:iam::123456789012:role/r",
    image="sagemaker-xgboost:1.7-1",
    output_bucket="data",
    output_prefix="out/j",
    groups=(Group("ml.m5.large"),),
    max_runtime_seconds=60,
    channels=(Channel("train", "data", "in/train"),),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, object_store.MIGRATIONS)
    store = ObjectStore(tmp_path / "objects", database, SystemClock())
    store.buckets.create("data", "123456789012", "us-east-1")
    yield store
    store.removal.close()
    database.close()


def staged(store: ObjectStore, place: Place, plan: Plan = PLAN, *, private_files: bool = True) -> Path:
    host = plan.hosts[0]
    stage(plan, place, store, private_files=private_files, is_wanted=lambda: True, host=host, interface="eth0")
    return place.inputs("train") if private_files else place.layout.channel("train")


def test_an_object_that_a_manifest_lists_twice_is_one_file(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "in/a.csv", b"1")
    store.put_bytes("data", "in/b.csv", b"2")
    store.put_bytes("data", "m.json", b'[{"prefix": "s3://data/in/"}, "a.csv", "b.csv", "a.csv"]')
    plan = replace(PLAN, channels=(Channel("train", "data", "m.json", data_type="ManifestFile"),))
    assert {path.name for path in staged(store, Place(tmp_path / "job"), plan).iterdir()} == {"a.csv", "b.csv"}


@pytest.mark.parametrize(
    ("prefix", "key", "name"),
    [
        ("in/train", "in/train/a.csv", "a.csv"),
        ("in/train/", "in/train/a.csv", "a.csv"),
        ("in/train", "in/train/deep/a.csv", "deep/a.csv"),
        ("in/train", "in/train-2/a.csv", "train-2/a.csv"),
        ("in/train/a.csv", "in/train/a.csv", "a.csv"),
        ("in/tr", "in/train.csv", "train.csv"),
        ("", "a/b.csv", "a/b.csv"),
        ("a", "a/b.csv", "b.csv"),
        ("a", "ab.csv", "ab.csv"),
        ("in/train", "in/train/", None),
    ],
)
def test_names_below_a_channel(prefix: str, key: str, name: str | None) -> None:
    assert relative_name(prefix, key) == name


def test_a_link_where_the_job_cannot_write(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "in/train/deep/a.csv", LARGE)
    store.put_bytes("data", "in/train/small.csv", b"1,2")
    folder = staged(store, Place(tmp_path / "job"))
    assert (folder / "small.csv").read_bytes() == b"1,2"
    file = folder / "deep" / "a.csv"
    assert file.read_bytes() == LARGE
    assert os.path.samefile(file, path_of(store, "in/train/deep/a.csv"))


def test_small_files_are_copies_for_a_program_of_the_requests_own(store: ObjectStore, tmp_path: Path) -> None:
    """One large file among them makes all of them links, read-only as a whole."""
    store.put_bytes("data", "in/train/deep/a.csv", LARGE)
    store.put_bytes("data", "in/train/small.csv", b"1,2")
    plan, place = replace(PLAN, entrypoint=("/bin/sh",)), Place(tmp_path / "job")
    links = staged(store, place, plan)
    assert not links.exists() and mounts_of(plan, place, plan.hosts[0], private_files=True) == ()
    file = place.layout.channel("train") / "deep" / "a.csv"
    assert file.read_bytes() == LARGE and not os.path.samefile(file, path_of(store, "in/train/deep/a.csv"))
    store.put_bytes("data", "in/train/large.csv", b"l" * (COPIED_FILE_BYTES_MAX + 1))
    links = staged(store, place, plan)
    assert (links / "small.csv").is_file() and not (place.layout.channel("train") / "small.csv").exists()
    (mount,) = mounts_of(plan, place, plan.hosts[0], private_files=True)
    assert (mount.source, mount.writable) == (links, False)


def test_a_copy_where_it_could(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "in/train/a.csv", LARGE)
    file = staged(store, Place(tmp_path / "job"), private_files=False) / "a.csv"
    file.write_bytes(b"changed")
    assert store.read_bytes("data", "in/train/a.csv", size_max=len(LARGE)) == LARGE


def path_of(store: ObjectStore, key: str) -> Path:
    """The data file of a large object."""
    _, content = store.open("data", key)
    assert isinstance(content, Path)
    return content


def test_the_bundle_is_a_copy(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "in/train/a.csv", b"1,2")
    store.put_bytes("data", "code.tar.gz", LARGE)
    plan = replace(PLAN, hyperparameters={"sagemaker_submit_directory": '"s3://data/code.tar.gz"'})
    place = Place(tmp_path / "job")
    staged(store, place, plan)
    assert place.layout.bundle.read_bytes() == LARGE
    assert not os.path.samefile(place.layout.bundle, path_of(store, "code.tar.gz"))


def test_staging_again_begins_afresh(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "in/train/a.csv", b"1")
    place = Place(tmp_path / "job")
    staged(store, place)
    (place.layout.model / "left").write_text("by a former attempt")
    store.put_bytes("data", "in/train/a.csv", b"22")
    folder = staged(store, place)
    assert (folder / "a.csv").read_bytes() == b"22"
    assert not (place.layout.model / "left").exists()


@pytest.mark.parametrize(
    "key", ["in/train/../../escape", "in/train//etc/passwd", "in/train/./a", "in/train/" + "x" * 256]
)
def test_keys_that_are_no_file_names(store: ObjectStore, tmp_path: Path, key: str) -> None:
    store.put_bytes("data", key, b"1")
    with pytest.raises(Unfit, match="cannot be a file name"):
        staged(store, Place(tmp_path / "job"))
    assert not (tmp_path / "escape").exists()


def test_a_key_that_is_file_and_folder(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "in/train/a", b"1")
    store.put_bytes("data", "in/train/a/b", b"1")
    with pytest.raises(Unfit, match="as a file and as a folder: a"):
        staged(store, Place(tmp_path / "job"))


def test_nothing_left_to_fetch(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="s3://data/in/train"):
        staged(store, Place(tmp_path / "job"))


def test_a_bucket_that_has_gone(store: ObjectStore, tmp_path: Path) -> None:
    plan = replace(PLAN, channels=(Channel("train", "gone", "x"),))
    with pytest.raises(Unfit, match=r"^ClientError: Data download failed"):
        staged(store, Place(tmp_path / "job"), plan)


def test_staging_is_given_up_when_the_job_is_not_wanted(store: ObjectStore, tmp_path: Path) -> None:
    for number in range(200):
        store.put_bytes("data", f"in/train/{number}", b"1")
    place, told = Place(tmp_path / "job"), {"host": PLAN.hosts[0], "interface": "eth0"}
    with pytest.raises(GivenUp):
        stage(PLAN, place, store, private_files=True, is_wanted=lambda: False, **told)
