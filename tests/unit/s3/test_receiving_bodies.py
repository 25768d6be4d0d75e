"""Bodies on their way into contents: every byte in order through both threads, and what happens when one fails."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path

import pytest

from cloche.services.s3 import receiving
from cloche.storage.objects import ContentWriter
from cloche.storage.objects.files import DataFiles
from cloche.storage.objects.writer import opened

SIZES = [1, 300_000, 5, 131_072, 70_000, 70_000, 2_000_000, 3]


@pytest.fixture
def files(tmp_path: Path) -> DataFiles:
    return DataFiles(tmp_path / "objects")


@pytest.mark.parametrize("count", range(len(SIZES) + 1))
def test_what_was_sent_is_what_is_kept(files: DataFiles, count: int) -> None:
    pieces = [os.urandom(size) for size in SIZES[:count]]

    async def run() -> ContentWriter:
        body = receiving._Body(ContentWriter(files, ["SHA256"]))
        for piece in pieces:
            await body.add(piece)
        await body.settled()
        body.finish_rest()
        return body.writer

    written = asyncio.run(run()).finish()
    whole = b"".join(pieces)
    assert (written.size, written.md5) == (len(whole), hashlib.md5(whole).hexdigest())
    with opened(files.path(written.file) if written.data is None else written.data) as stream:
        assert stream.read() == whole


@pytest.mark.parametrize("kind", ["store", "digest"])
def test_what_a_thread_raises_is_raised(files: DataFiles, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    def fail(writer: ContentWriter, data: bytes) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(ContentWriter, kind, fail)

    async def run() -> None:
        body = receiving._Body(ContentWriter(files))
        try:
            for _ in range(50):
                await body.add(b"x" * 200_000)
            await body.settled()
        finally:
            body.end()

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(run())


def test_a_body_that_is_given_up_leaves_nothing(files: DataFiles) -> None:
    async def run() -> None:
        body = receiving._Body(ContentWriter(files))
        for _ in range(8):
            await body.add(b"x" * 200_000)
        body.end()

    asyncio.run(run())
    deadline = time.monotonic() + 20
    while files.leftovers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert files.leftovers() == []
