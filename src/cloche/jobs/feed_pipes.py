"""Streams a job's inputs through named pipes, epoch after epoch, as long as the job runs. Run beside the job as a
program of its own (``python -I -S feed_pipes.py DOCUMENT``); the standard library alone.

An input's pipe of epoch ``n`` is ``<name>_<n>``. The one being read and the next are always there: a reader that
comes to the end of one finds the next at once. Whoever closes a pipe early has had enough of that epoch.

The job may do what it likes in the folders the pipes lie in, and this program runs outside its sandbox. So no step of
the way from the job's root to a pipe may be a link, and nothing is written into what is no pipe. A pipe is open to
those who may make files where it lies: an image's programs may run as another user than whoever feeds them.

``DOCUMENT`` is JSON: ``root`` (the job's ``/opt/ml``) and ``inputs``, each with ``title`` (what its owner calls it),
``folder`` (the way from there to its pipes), ``name``, ``gzip``, ``wrap`` (RecordIO), ``seed`` (``null``: as listed),
``host`` and ``hosts`` (the share of them it gets; 0 of 1: all) and ``records``: what is kept together when the order is
drawn. A record is a list of pieces, ``{"file": path, "key": what it is called}`` or ``{"text": text}``.
``CLOCHE_FAILURE`` names the file that is told why it cannot go on; the job ends with it.

RecordIO: a magic number, a length of 29 bits, the bytes, zeros up to a multiple of four
(docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html; ``recordio.py`` of aws/sagemaker-python-sdk).
"""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

MAGIC = 0xCED7230A
RECORD_BYTES_MAX = (1 << 29) - 1
CHUNK_BYTES = 1 << 20
PIPE_BYTES = 1 << 20
FAILURE = "CLOCHE_FAILURE"
Kept = TypeVar("Kept")


class Unreadable(Exception):
    """A source cannot be streamed as asked; the text says which and why."""


class TakenAway(Exception):
    """The job removed the pipe or put something else in its place: it wants no more of that input."""


def in_order_of(records: Iterable[Kept], seed: int, *, epoch: int) -> list[Kept]:
    """``records`` in the order that ``seed`` gives ``epoch``, always the same."""
    shuffled = list(records)
    random.Random(f"{seed}/{epoch}").shuffle(shuffled)  # noqa: S311 - no secret
    return shuffled


def share(records: Iterable[Kept], host: int, hosts: int) -> Iterator[Kept]:
    """Every ``hosts``-th record, from the ``host``-th (counted from 0) on."""
    return islice(records, host, None, hosts)


class Feed:
    """One input's pipes in the folder held open as ``folder``."""

    def __init__(self, input: dict[str, Any], folder: int) -> None:
        self.title: str = input["title"]
        self.name: str = input["name"]
        self.gzip: bool = input["gzip"]
        self.wrap: bool = input["wrap"]
        self.input = input
        self.folder = folder

    def run(self) -> None:
        epoch = 0
        with suppress(TakenAway):
            while True:
                self._make(epoch)
                self._make(epoch + 1)
                self._stream(epoch)
                epoch += 1

    def records(self, epoch: int) -> Iterable[Sequence[dict[str, str]]]:
        records: list[list[dict[str, str]]] = self.input["records"]
        if self.input["seed"] is not None:
            records = in_order_of(records, self.input["seed"], epoch=epoch)
        return share(records, self.input["host"], self.input["hosts"])

    def _make(self, epoch: int) -> None:
        with suppress(FileExistsError):
            os.mkfifo(f"{self.name}_{epoch}", self._mode(), dir_fd=self.folder)

    def _mode(self) -> int:
        return 0o666 if os.fstat(self.folder).st_mode & stat.S_IWOTH else 0o600

    def _stream(self, epoch: int) -> None:
        sink = self._opened(f"{self.name}_{epoch}")
        try:
            for record in self.records(epoch):
                for piece in record:
                    self._send(piece, sink)
        except BrokenPipeError:
            pass  # the reader closed it
        finally:
            os.close(sink)
            with suppress(OSError):
                os.unlink(f"{self.name}_{epoch}", dir_fd=self.folder)

    def _opened(self, name: str) -> int:
        """The pipe's writing end, once there is a reader."""
        try:
            sink = os.open(name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=self.folder)
        except OSError as error:
            raise TakenAway(name) from error
        if not stat.S_ISFIFO(os.fstat(sink).st_mode):
            os.close(sink)
            raise TakenAway(name)
        if sys.platform == "linux":
            import fcntl

            with suppress(OSError):
                fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return sink

    def _send(self, piece: dict[str, str], sink: int) -> None:
        if "text" in piece:
            data = piece["text"].encode("utf-8", "surrogatepass")
            _write(sink, _head(len(data)) + data + _tail(len(data)) if self.wrap else data)
            return
        try:
            self._send_file(piece["file"], sink)
        except Unreadable as error:
            raise Unreadable(f"{piece['key']}: {error}") from error

    def _send_file(self, path: str, sink: int) -> None:
        if not self.wrap:
            self._pour(path, sink)
            return
        size = self._size(path)
        if size > RECORD_BYTES_MAX:
            raise Unreadable(f"it has {size} bytes; a RecordIO record holds {RECORD_BYTES_MAX}")
        _write(sink, _head(size))
        self._pour(path, sink)
        _write(sink, _tail(size))

    def _size(self, path: str) -> int:
        return sum(map(len, unzipped(path))) if self.gzip else Path(path).stat().st_size

    def _pour(self, path: str, sink: int) -> None:
        if self.gzip:
            for data in unzipped(path):
                _write(sink, data)
        else:
            _copy(path, sink)


def unzipped(path: str) -> Iterator[bytes]:
    """What the gzip file holds, all its members one after the other. Raises ``Unreadable``."""
    inflate = zlib.decompressobj(wbits=31)
    begun = False
    try:
        with Path(path).open("rb") as stream:
            while data := stream.read(CHUNK_BYTES):
                while data:
                    if inflate.eof:
                        inflate, begun = zlib.decompressobj(wbits=31), False
                        data = data.lstrip(b"\0")  # padding after the last member
                        continue
                    yield inflate.decompress(data, CHUNK_BYTES)
                    begun = True
                    data = inflate.unconsumed_tail or inflate.unused_data
        yield inflate.flush()
    except zlib.error as error:
        raise Unreadable(f"it is no gzip data: {error}") from error
    if begun and not inflate.eof:
        raise Unreadable("its gzip data ends too early")


def _copy(path: str, sink: int) -> None:
    """The file's bytes, by the kernel alone where it can."""
    with Path(path).open("rb", buffering=0) as stream:
        if hasattr(os, "splice"):
            while os.splice(stream.fileno(), sink, CHUNK_BYTES):
                pass
            return
        while data := stream.read(CHUNK_BYTES):
            _write(sink, data)


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def _head(size: int) -> bytes:
    return MAGIC.to_bytes(4, "little") + size.to_bytes(4, "little")


def _tail(size: int) -> bytes:
    return b"\0" * (-size % 4)


def fail(text: str) -> None:
    """Tell why, whole or not at all, and end."""
    path = Path(os.environ[FAILURE])
    part = path.with_name(f"{path.name}.part")
    part.touch(0o600)
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)
    os._exit(1)


def _run(feed: Feed) -> None:
    try:
        feed.run()
    except Exception as error:
        fail(f"{feed.title}: {error}")


def _entered(root: int, way: Sequence[str]) -> int:
    folder = root
    for name in way:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    return folder


def main(document: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the job's notice, not ours: it may read on until it ends
    os.umask(0)  # a pipe has the mode it is made with: to change one by its name might change another file
    content = json.loads(Path(document).read_bytes())
    root = os.open(content["root"], os.O_RDONLY | os.O_DIRECTORY)
    feeds: list[threading.Thread] = []
    for input in content["inputs"]:
        with suppress(OSError):  # the job has put something else there
            feeds.append(threading.Thread(target=_run, args=(Feed(input, _entered(root, input["folder"])),)))
    for feed in feeds:
        feed.start()
    for feed in feeds:
        feed.join()


if __name__ == "__main__":
    main(sys.argv[1])
