"""The process of one query, begun by the server (``engines/log_insights/running.py``) and ended with it.

On its input comes one line, the task; when the input ends, the server is gone, and so is the query. On its output go
lines of JSON, of each process that scans: how much has been read, and in the end ``done`` or ``failed``. The results
are written to a file, a row a line.

A user's expression may never come back. So what was begun only watches; a child works, with children of its own for
the machine's other processors, and none is asked to stop: they are killed.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from cloche.engines.log_insights.scan.program import Program
from cloche.foundation.errors import Broken
from cloche.storage.logs.frames import PREFIX_BYTES, sound_frames

SHARE_BYTES_MIN: Final = 4 * 1024 * 1024
"""Less is not worth another process."""
TELL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Segment:
    path: Path
    size: int
    source: int
    stream: str
    log: str
    low: int


class Scanner:
    """Reads files through the program, and tells how far it is."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.program = Program(task["query"], task["limit"], task["now_ms"])
        self._high = task["high"]
        self._told_at = time.monotonic()
        self._counts = [0, 0, 0]

    def read(self, segments: list[Segment]) -> None:
        for segment in segments:
            try:
                raw = segment.path.read_bytes()
            except FileNotFoundError:  # expired, or deleted, meanwhile
                continue
            self._scan(segment, raw)
        self._tell()

    def _scan(self, segment: Segment, raw: bytes) -> None:
        scan, sink, needles = self.program.scan, self.program.sink, self.program.needles
        low, high = segment.low, self._high
        for frame in sound_frames(raw, int(segment.path.stem)):
            if frame.latest_ms < low or frame.earliest_ms > high:
                continue
            is_within = low <= frame.earliest_ms and frame.latest_ms <= high
            at = frame.offset + PREFIX_BYTES
            seen, size, matched = frame.count, frame.message_bytes, 0
            if not is_within or all(needle.is_in(raw, at, frame.end) for needle in needles):
                found = scan(
                    is_within, raw, at, frame.count, frame.first, frame.ingested_ms,
                    segment.source, segment.stream, segment.log, low, high,
                )  # fmt: skip
                matched = found[2]
                if not is_within:
                    seen, size = found[:2]
                sink.tidy()
            self._counts[0] += seen
            self._counts[1] += size
            self._counts[2] += matched
            if time.monotonic() - self._told_at > TELL_SECONDS:
                self._tell()

    def _tell(self) -> None:
        say({"read": self._counts})
        self._counts = [0, 0, 0]
        self._told_at = time.monotonic()


def say(told: dict[str, Any]) -> None:
    os.write(1, orjson.dumps(told) + b"\n")


def segments_of(task: dict[str, Any]) -> list[Segment]:
    found: list[Segment] = []
    for number, stream, log, directory, low in task["sources"]:
        for path in sorted(Path(directory).glob("*.log")):
            try:
                found.append(Segment(path, path.stat().st_size, number, stream, log, low))
            except FileNotFoundError:
                continue
    return found


def shares_of(segments: list[Segment], processes: int) -> list[list[Segment]]:
    """As even as may be: the largest first, to whoever has least."""
    total = sum(segment.size for segment in segments)
    count = max(1, min(processes, total // SHARE_BYTES_MIN))
    shares: list[list[Segment]] = [[] for _ in range(count)]
    sizes = [0] * count
    for segment in sorted(segments, key=lambda each: -each.size):
        least = sizes.index(min(sizes))
        shares[least].append(segment)
        sizes[least] += segment.size
    return shares


def work(task: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
    scanner = Scanner(task)
    mine, *others = shares_of(segments_of(task), task["processes"])
    pipes = [_begin(task, share) for share in others]
    scanner.read(mine)
    for reader in pipes:
        with os.fdopen(reader, "rb") as stream:
            outcome, dumped = pickle.load(stream)  # noqa: S301 (of our own child)
        if outcome != "done":
            raise RuntimeError(dumped)
        scanner.program.sink.merge(dumped)
        os.wait()
    results = scanner.program.results()
    with Path(task["results"]).open("wb") as file:
        for row in results:
            file.write(orjson.dumps(row) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    say({"done": len(results)})


def _begin(task: dict[str, Any], share: list[Segment]) -> int:
    """Another process that scans a share. Answers where its outcome can be read."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        with os.fdopen(writer, "wb") as stream:
            try:
                scanner = Scanner(task)
                scanner.read(share)
                pickle.dump(("done", scanner.program.sink.dump()), stream, protocol=5)
            except BaseException as error:
                pickle.dump(("failed", reason_of(error)), stream)
        os._exit(0)
    os.close(writer)
    return reader


def reason_of(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "The query needs more memory than a query may have."
    return error.message if isinstance(error, Broken) else f"{type(error).__name__}: {error}"


def main() -> int:
    task = orjson.loads(sys.stdin.buffer.readline())
    alive, held = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(alive)
        try:
            work(task)
        except BaseException as error:
            say({"failed": reason_of(error)})
        os._exit(0)
    os.close(held)
    ended, _, _ = select.select([0, alive], [], [])
    if alive in ended:
        os.waitpid(worker, 0)
    os.killpg(0, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
