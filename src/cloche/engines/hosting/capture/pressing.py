"""The process that makes files of lines (``press``), and what it is at.

It has the lowest priority there is (``SCHED_IDLE``), so it works when nobody else wants a processor, and it shares no
interpreter with the event loop. Who cannot wait for that stops it and has it begin anew with the server's priority, or
does its work himself: it keeps nothing.
"""

from __future__ import annotations

import base64
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

log = logging.getLogger(__name__)

PROGRAM: Final = Path(__file__).with_name("press.py")


@dataclass(frozen=True, slots=True)
class Made:
    """A file of lines."""

    path: Path
    size: int
    crc32: str
    """As S3 writes it."""


class Press:
    """At one file at a time; ``ready`` is called, by a thread of its own, when that is made or has failed."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.is_brisk = False
        self.target: Path | None = None
        """Which it makes, or has made."""
        self._answer: bytes | None = None

    def begin(self, source: Path, size: int, target: Path, *, brisk: bool) -> None:
        """Make ``target`` of the first ``size`` bytes of ``source``. Raises ``OSError`` where there is no process to
        be had."""
        with self._lock:
            if self._process is None or self.is_brisk != brisk:
                self._end()
                self._process = self._start(brisk)
            self.is_brisk, self.target, self._answer = brisk, target, None
            assert self._process.stdin is not None
            self._process.stdin.write(orjson.dumps([str(source), size, str(target)]) + b"\n")

    def _start(self, brisk: bool) -> subprocess.Popen[bytes]:
        folders = [str(PROGRAM.parent), str(Path(orjson.__file__).parents[1])]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PROGRAM), *folders, "brisk" if brisk else "idle"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        threading.Thread(target=self._listen, args=(process,), name="capture-press", daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._answered(process, line)
        process.wait()
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.close()
        self._answered(process, b"")

    def _answered(self, process: subprocess.Popen[bytes], line: bytes) -> None:
        with self._lock:
            if process is not self._process:
                return
            self._answer = line
            if not line:
                self._process = None
        self._ready()

    def made(self) -> Made | bool:
        """What it was asked for; ``True`` while it is at it, ``False`` if it has failed. Told once."""
        with self._lock:
            if self._answer is None:
                return True
            target, line = self.target, self._answer
            assert target is not None
            self.target = self._answer = None
        if not line:
            log.warning("the process that makes records of captured requests has died")
            target.unlink(missing_ok=True)
            return False
        size, crc = orjson.loads(line)
        return Made(target, size, base64.b64encode(crc.to_bytes(4, "big")).decode())

    def stop(self) -> None:
        """Whatever it is at is not made. It may begin again."""
        with self._lock:
            self._end()
            target, self.target, self._answer = self.target, None, None
        if target is not None:
            target.unlink(missing_ok=True)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
