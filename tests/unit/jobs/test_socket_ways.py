"""A model's socket is found where it lies, and nothing that was put in its place."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche_jobs.contract.sockets import way_to

pytestmark = pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="NOT TESTED: links can only be told on Linux")


@pytest.fixture
def listening() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "s"
        listener.bind(str(path))
        listener.listen()
        yield path


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as asking, way_to(str(path)) as address:
        asking.connect(address)


def test_the_socket_itself(listening: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    connect(listening)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_lies_in_its_place(listening: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    link, file = listening.with_name("link"), listening.with_name("file")
    link.symlink_to(listening)
    file.touch()
    for path in (link, file):
        with pytest.raises(ConnectionRefusedError, match="is no socket"):
            connect(path)
    with pytest.raises(FileNotFoundError):
        connect(listening.with_name("none"))
    assert len(os.listdir("/proc/self/fd")) == before
