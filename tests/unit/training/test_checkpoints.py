"""Checkpoints of a job that means no good."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cloche.engines.training import KeptFolder
from cloche.engines.training.checkpoints import folders_of, restore
from cloche.foundation.errors import Invalid
from cloche.jobs.folders import Folders
from cloche.jobs.place import Place
from cloche.jobs.sources import Unfit
from cloche.storage.objects import ObjectStore

from .test_stage_inputs import PLAN, store

__all__ = ["store"]

KEPT = replace(PLAN, checkpoints=KeptFolder("data", "kept", "/opt/ml/checkpoints"))


@pytest.fixture
def place(tmp_path: Path, store: ObjectStore) -> Place:
    place = Place(tmp_path / "job")
    place.make_afresh().make()
    restore(KEPT, place, store)
    return place


def keys(store: ObjectStore) -> list[str]:
    return [info.key for info in store.iter_prefix("data", "")]


def test_links_are_followed_nowhere(store: ObjectStore, place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("of the server alone")
    (place.layout.checkpoints / "file").symlink_to(secret / "key")
    (place.layout.checkpoints / "folder").symlink_to(secret)
    (place.layout.checkpoints / "own").write_text("1")
    os.mkfifo(place.layout.checkpoints / "pipe")
    Folders(store).finish(KEPT.arn, folders_of(KEPT, place))
    assert keys(store) == ["kept/own"]
    os.rename(place.layout.checkpoints, tmp_path / "aside")
    place.layout.checkpoints.symlink_to(secret)
    Folders(store).finish(KEPT.arn, folders_of(KEPT, place))
    assert keys(store) == ["kept/own"]


def test_what_is_in_s3_already_is_not_stored_again(store: ObjectStore, place: Place) -> None:
    store.put_bytes("data", "kept/same", b"same")
    store.put_bytes("data", "kept/other", b"abcd")
    before = store.head("data", "kept/same").file, store.head("data", "kept/same").last_modified
    (place.layout.checkpoints / "same").write_bytes(b"same")
    (place.layout.checkpoints / "other").write_bytes(b"wxyz")
    Folders(store).finish(KEPT.arn, folders_of(KEPT, place))
    assert (store.head("data", "kept/same").file, store.head("data", "kept/same").last_modified) == before
    assert store.read_bytes("data", "kept/other", size_max=9) == b"wxyz"


def test_keys_that_no_file_can_be_called(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("data", "kept/../../escape", b"1")
    place = Place(tmp_path / "job")
    place.make_afresh().make()
    with pytest.raises(Unfit, match="cannot be a file name"):
        restore(KEPT, place, store)
    assert not list(tmp_path.rglob("escape"))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"not-\xff-text", r"the file name 'kept/not-\\udcff-text' is not UTF-8, as a key is"),
        (b"/".join([b"d" * 200] * 6), r"makes a key of 1210 bytes; it may have 1024"),
    ],
    ids=["bytes", "long"],
)
def test_a_name_that_no_key_can_be_costs_no_other_file(store: ObjectStore, place: Place, name: bytes, why: str) -> None:
    path = os.fsencode(place.layout.checkpoints) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(os.fsdecode(path)).touch()
    (place.layout.checkpoints / "good").write_text("1")
    folders = Folders(store)
    folders.follow(KEPT.arn, folders_of(KEPT, place))
    with pytest.raises(Invalid, match=why):
        folders.finish(KEPT.arn, folders_of(KEPT, place))
    folders.close()
    assert keys(store) == ["kept/good"]


def test_keys_that_need_one_name_are_told_without_the_servers_paths(
    store: ObjectStore, place: Place, tmp_path: Path
) -> None:
    store.put_bytes("data", "kept/a", b"1")
    store.put_bytes("data", "kept/a/b", b"2")
    place.make_afresh().make()
    with pytest.raises(Unfit) as told:
        restore(KEPT, place, store)
    assert "two keys need one name as a file and as a folder: a" in str(told.value)
    assert str(tmp_path) not in str(told.value)
