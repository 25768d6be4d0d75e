"""Bytes of a mapped file become an object without a second copy in memory: byte for byte what they were."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from mmap import PAGESIZE, mmap
from pathlib import Path
from typing import Any

import pytest

from cloche.foundation.clock import SystemClock
from cloche.storage import objects
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectStore
from cloche.storage.objects.blobs import BLOB_BYTES_MAX
from cloche.storage.objects.files import write_pages

LENGTH = BLOB_BYTES_MAX + 3 * PAGESIZE


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[mmap]:
    with (tmp_path / "mapped").open("wb+") as file:
        file.write(os.urandom(LENGTH))
        file.flush()
        with mmap(file.fileno(), LENGTH) as made:
            yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, objects.MIGRATIONS)
    made = ObjectStore(tmp_path / "objects", database, SystemClock())
    made.buckets.create("b", "123456789012", "us-east-1")
    yield made
    made.close()
    database.close()


@pytest.mark.parametrize("begin", [0, PAGESIZE, 100])
@pytest.mark.parametrize("less", [0, 1, PAGESIZE - 1])
def test_an_object_has_the_bytes_that_lay_there(store: ObjectStore, mapped: mmap, begin: int, less: int) -> None:
    with memoryview(mapped) as whole, whole[begin : LENGTH - less] as data:
        info = store.put_bytes("b", "k", data)
        assert store.read_bytes("b", "k", size_max=LENGTH) == data
        assert info.etag == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_whole_pages_alone_go_straight_to_the_disk(tmp_path: Path, mapped: mmap) -> None:
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    before = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    with memoryview(mapped) as whole:
        assert write_pages(descriptor, whole[100:]) == 0
        assert write_pages(descriptor, memoryview(bytes(whole))) == 0
        done = write_pages(descriptor, whole[: 3 * PAGESIZE + 5])
        assert done in (0, 3 * PAGESIZE)  # none, where the file system has no such writes
        assert path.read_bytes() == whole[:done]
    assert fcntl.fcntl(descriptor, fcntl.F_GETFL) == before
    os.close(descriptor)


def test_a_file_system_without_such_writes_gets_ordinary_ones(
    store: ObjectStore, mapped: mmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def refuses(descriptor: int, command: int, argument: Any = 0) -> Any:
        if command == fcntl.F_SETFL and argument & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no such writes here")
        return real(descriptor, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", refuses)
    with memoryview(mapped) as data:
        store.put_bytes("b", "k", data)
        assert store.read_bytes("b", "k", size_max=LENGTH) == data
