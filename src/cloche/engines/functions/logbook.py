"""What environments print becomes their functions' logs, line by line, while they run.

As with endpoints' logs, how far each output was taken is kept in a table: a server that was killed repeats the last
lines rather than losing any. An environment that was ended from outside cannot print its END and REPORT; whoever ended
it hands those to ``finish``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.compute.follow import LineFollower
from cloche.compute.runtime import Runtime
from cloche.engines.functions.plan import Version
from cloche.foundation.clock import Clock
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)

TAIL_BYTES: Final = 4096
"""Of LogResult: "the last 4 KB of the execution log" (API_Invoke.html)."""
TAIL_READ_BYTES: Final = 64 * 1024
TAIL_SECONDS: Final = 1.0
TAKES_MAX: Final = 8
"""Pieces of at most a megabyte taken from one output in one look, so that a talkative one does not hold up others."""


@dataclass(slots=True)
class _Followed:
    version: Version
    stream: str
    follower: LineFollower


class Logbook:
    def __init__(self, database: Database, logs: LogStore, runtime: Runtime, clock: Clock) -> None:
        self._database = database
        self._logs = logs
        self._runtime = runtime
        self._clock = clock
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}

    def follow(self, process: str, version: Version, stream: str) -> None:
        row = self._database.reader.execute("SELECT taken FROM function_logs WHERE process = ?", (process,)).fetchone()
        follower = LineFollower(self._runtime.output(process), row["taken"] if row else 0)
        with self._lock:
            self._followed.setdefault(process, _Followed(version, stream, follower))

    def finish(self, process: str, closing: Sequence[str] = ()) -> None:
        """The process has ended: take the rest, add ``closing``, and forget it."""
        with self._lock:
            followed = self._followed.pop(process, None)
        if followed is not None:
            while self._take(process, followed, complete=True):
                pass
            self._append(followed, closing)
        self._database.write(lambda tx: tx.execute("DELETE FROM function_logs WHERE process = ?", (process,)) and None)

    def look(self) -> None:
        """Take what has come since the last look, of all that are followed."""
        for process, followed in list(self._followed.items()):
            try:
                for _ in range(TAKES_MAX):
                    with self._lock:
                        gone = process not in self._followed
                        if gone or not self._take(process, followed):
                            break
            except Exception:
                log.exception("the output of %s could not be taken into the log", process)

    def printed_bytes(self, process: str) -> int:
        followed = self._followed.get(process)
        return followed.follower.offset if followed is not None else 0

    def tail(self, process: str, request: str, closing: Sequence[str] = ()) -> bytes:
        """The end of what one invocation has printed, which may take a moment to come."""
        path, until = self._runtime.output(process), time.monotonic() + TAIL_SECONDS
        begin, end = f"START RequestId: {request} ".encode(), f"REPORT RequestId: {request}\t".encode()
        while True:
            data = _last(path)
            at = data.rfind(end)
            whole = at >= 0 and data.find(b"\n", at) >= 0
            if whole or closing or time.monotonic() > until:
                break
            time.sleep(0.002)
        if whole:
            data = data[: data.find(b"\n", at) + 1]
        first = data.find(begin)
        data = data[max(first, 0) :] + "".join(f"{line}\n" for line in closing).encode()
        return data.replace(b"\r", b"\n")[-TAIL_BYTES:]

    def _take(self, process: str, followed: _Followed, *, complete: bool = False) -> bool:
        lines = followed.follower.lines(complete=complete)
        taken = followed.follower.offset
        if not lines:
            return False
        self._append(followed, lines)
        sql = "INSERT INTO function_logs VALUES (?, ?) ON CONFLICT (process) DO UPDATE SET taken = excluded.taken"
        self._database.write(lambda tx: tx.execute(sql, (process, taken)) and None)
        return True

    def _append(self, followed: _Followed, lines: Sequence[str]) -> None:
        """A carriage return parts the lines of one event; lines that say nothing are none."""
        now_ms = int(self._clock.time() * 1000)
        events = [(now_ms, line.replace("\r", "\n")) for line in lines if line.strip()]
        owner = followed.version.owner
        if events:
            self._logs.append(owner.account, owner.region, followed.version.log_group, followed.stream, events)


def _last(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_READ_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""
