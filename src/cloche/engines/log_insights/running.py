"""A query's process, seen from the server: begun, listened to, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cloche.foundation.descriptors import is_readable

PROCESS: Final = "cloche.engines.log_insights.scan.process"
SECONDS_MAX: Final = 3600.0
"""Of the machine's time. "Queries time out after 60 minutes of runtime": botocore's documentation of StartQuery."""
SILENT_SECONDS_MAX: Final = 60.0
"""A process tells of itself several times a second, unless one event holds it up: an expression that backtracks."""
MEMORY_BYTES_MAX: Final = 1024**3
"""Of each of a query's processes."""
PROCESSES: Final = max(1, min(os.cpu_count() or 1, 8))


@dataclass(slots=True)
class Counts:
    """Of events: how many were read, their bytes, how many passed the filters before anything was made of them."""

    scanned: int = 0
    bytes: int = 0
    matched: int = 0


@dataclass(slots=True)
class Outcome:
    status: str
    reason: str = ""
    rows: int = 0


@dataclass(slots=True)
class Run:
    """``work`` blocks until the process has ended; ``kill`` may be called by any thread at any time."""

    counts: Counts = field(default_factory=Counts)
    is_killed: bool = False
    _process: subprocess.Popen[bytes] | None = None

    def work(self, task: dict[str, Any]) -> Outcome:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            start_new_session=True,
            bufsize=0,
        )
        self._process = process
        assert process.stdin is not None and process.stdout is not None
        if self.is_killed:
            self._kill()
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(orjson.dumps({**task, "processes": PROCESSES, "memory": MEMORY_BYTES_MAX}) + b"\n")
            return self._listen(process.stdout.fileno())
        finally:
            self._kill()
            process.stdin.close()
            process.stdout.close()
            process.wait()

    def kill(self) -> None:
        self.is_killed = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _listen(self, stream: int) -> Outcome:
        rest = b""
        until = time.monotonic() + SECONDS_MAX
        while True:
            wait = min(SILENT_SECONDS_MAX, max(0.0, until - time.monotonic()))
            if not is_readable(stream, wait):
                if time.monotonic() >= until:
                    return Outcome("Timeout", "The query ran for an hour.")
                return Outcome("Failed", "One event kept the query busy for too long: a regular expression backtracks.")
            chunk = os.read(stream, 1 << 16)
            if not chunk:
                return Outcome("Failed", "The query's process ended; it may have had too little memory.")
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                outcome = self._told(orjson.loads(line))
                if outcome is not None:
                    return outcome

    def _told(self, told: dict[str, Any]) -> Outcome | None:
        if "read" in told:
            scanned, size, matched = told["read"]
            self.counts = Counts(self.counts.scanned + scanned, self.counts.bytes + size, self.counts.matched + matched)
            return None
        if "done" in told:
            return Outcome("Complete", rows=told["done"])
        return Outcome("Failed", told["failed"])
