"""The process in which a library searches (``cloche_jobs/tuning/search.py``), in an environment of its own.

It keeps nothing: every question holds all of the history. So there is one for all tuning jobs, it is begun when the
first trials run, it may be killed at any time, and it goes when nobody has asked for a while.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from cloche.foundation.descriptors import is_readable
from cloche.foundation.errors import Broken
from cloche_jobs.contract import package_folder

log = logging.getLogger(__name__)

ANSWER_SECONDS_MAX: Final = 120.0
IDLE_SECONDS: Final = 60.0
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""The trials need the processors more."""


class Searcher:
    """``python`` answers the interpreter of the search's environment, built first if need be (seconds, once)."""

    def __init__(self, python: Callable[[], Path]) -> None:
        self._python = python
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._asked_at = 0.0
        self._closed = False

    def prepare(self) -> None:
        """Begin the process beside whatever else goes on, so that the first question need not wait for it."""

        def begin() -> None:
            try:
                with self._lock:
                    self._begun()
            except Exception:
                log.exception("the search could not be begun; it is tried again with the first question")

        threading.Thread(target=begin, name="search-begin", daemon=True).start()

    def ask(self, question: dict[str, Any]) -> tuple[float, ...]:
        """The point to try next. Raises ``Broken``, and ``EnvironmentFailed`` where the library cannot be had."""
        with self._lock:
            process = self._begun()
            try:
                assert process.stdin is not None
                process.stdin.write(orjson.dumps(question) + b"\n")
                answer = orjson.loads(self._line(process, time.monotonic() + ANSWER_SECONDS_MAX))
            except (OSError, EOFError, TimeoutError) as error:
                self._end()
                raise Broken(f"the search of hyperparameters failed: {error}") from error
            self._asked_at = time.monotonic()
            return tuple(answer["point"])

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end()

    def _begun(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise Broken("the search is closed")
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        program = package_folder() / "tuning" / "search.py"
        self._process = subprocess.Popen(
            [str(self._python()), "-I", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath, **_ONE_THREAD},
            start_new_session=True,
            bufsize=0,
        )
        self._asked_at = time.monotonic()
        self._later(IDLE_SECONDS)
        return self._process

    def _later(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._end_if_idle)
        timer.daemon = True
        timer.start()

    def _end_if_idle(self) -> None:
        with self._lock:
            if self._process is None:
                return
            left = self._asked_at + IDLE_SECONDS - time.monotonic()
            if left <= 0:
                self._end()
            else:
                self._later(left)

    def _end(self) -> None:
        process, self._process, self._rest = self._process, None, b""
        if process is not None:
            process.kill()
            process.communicate()

    def _line(self, process: subprocess.Popen[bytes], until: float) -> bytes:
        assert process.stdout is not None
        while b"\n" not in self._rest:
            if not is_readable(process.stdout.fileno(), until - time.monotonic()):
                raise TimeoutError("it took too long")
            chunk = process.stdout.read(1 << 16)
            if not chunk:
                raise EOFError("it ended")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line
