"""Several processes that answer on one socket: ``SAGEMAKER_MODEL_SERVER_WORKERS``.

A model in Python computes one answer at a time; workers compute as many at once as there are of them. Each loads the
model for itself, as in AWS's containers, one after another (they share the folder that a script's requirements are
installed into); the socket gets its name when all are ready. A worker takes a connection only while it has nothing
to compute and closes it with the answer, so a request goes to whoever is free, by the kernel's own queue.

One worker, the default here, is one process without any of this. AWS's toolkits start one for every core
(``default_model_server_workers`` and the like in aws/sagemaker-inference-toolkit): on a machine that runs everything
else too that would be memory for nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from cloche_jobs.contract.failure import EXIT_FAILURE, UserError

VARIABLES: Final = ("SAGEMAKER_MODEL_SERVER_WORKERS", "MODEL_SERVER_WORKERS")
TIMEOUT: Final = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
TIMEOUT_SECONDS: Final = 60
"""Gunicorn's in AWS's images (repost.aws/knowledge-center/sagemaker-upstream-timed-out-header), and as long as a client
of an endpoint is waited for. 0: no bound, as for gunicorn."""
WORKERS_MAX: Final = 64
BACK_OFF_SECONDS_MAX: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A worker that ran so long has not failed by being started."""

_NAMES: Final = {number.value: number.name for number in signal.Signals}

log = logging.getLogger("cloche_jobs.serving")

Work = Callable[[Callable[[], None]], None]
"""Serves until it is told to stop; calls what it is given once it answers."""


def worker_count() -> int:
    """How many the model's environment asks for. Raises ``UserError``."""
    for name in VARIABLES:
        if text := os.environ.get(name, "").strip():
            if not (text.isascii() and text.isdigit() and 1 <= int(text) <= WORKERS_MAX):
                raise UserError(f"{name} is {text!r}: a number of workers from 1 to {WORKERS_MAX} is wanted.")
            return int(text)
    return 1


def timeout_seconds() -> int:
    """How long the model may be at one request. Raises ``UserError``."""
    text = os.environ.get(TIMEOUT, "").strip() or str(TIMEOUT_SECONDS)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UserError(f"{TIMEOUT} is {text!r}: a number of seconds is wanted.")
    return int(text)


def run_workers(count: int, work: Work, all_ready: Callable[[], None]) -> None:
    """Run ``work`` in ``count`` processes until SIGTERM or SIGINT, then let them end.

    Returns in the parent; a worker leaves by the exception or the end of ``work``. Raises ``SystemExit`` where a worker
    ends before it is ready.
    """
    keeper = _Keeper(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.stop)
    for _ in range(count):
        if not keeper.begin() and not keeper.ending:
            log.error("the worker %d %s before it could answer", *keeper.ended())
            keeper.stop()
            keeper.wait()
            raise SystemExit(EXIT_FAILURE)
    if not keeper.ending:
        all_ready()
    keeper.watch()


class _Keeper:
    """The parent: it starts workers, starts those anew that end, and passes on the signal to stop."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._began: dict[int, float] = {}
        self._failures = 0
        self.ending = False

    def stop(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        self.ending = True
        for pid in self._began:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def begin(self) -> bool:
        """Fork one and wait until it answers; ``False`` where it ended instead. Signals wait meanwhile: one that
        reached the worker while it still had the parent's handler would be lost."""
        told, tell = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        pid = os.fork()
        if pid == 0:
            os.close(told)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

            def ready() -> None:
                os.write(tell, b"+")
                os.close(tell)

            self._work(ready)
            raise SystemExit(0)
        os.close(tell)
        self._began[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if self.ending:  # the signal came while it was being forked
            self.stop()
        with os.fdopen(told, "rb", buffering=0) as answer:
            return answer.read(1) == b"+"

    def watch(self) -> None:
        """Until all have ended: start anew what ends by itself."""
        while self._began:
            pid, how = self.ended()
            if self.ending:
                continue
            log.error("the worker %d %s; another is started", pid, how)
            self._failures = self._failures + 1 if self._lived < STEADY_SECONDS else 0
            if self._failures > 1:
                time.sleep(min(0.2 * 2.0 ** min(self._failures, 10), BACK_OFF_SECONDS_MAX))
            if not self.ending:
                self.begin()

    def wait(self) -> None:
        while self._began:
            self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for one to end: who, and how."""
        pid, status = os.wait()
        self._lived = time.monotonic() - self._began.pop(pid, 0.0)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return pid, f"ended with exit code {code}"
        return pid, f"was ended by {_NAMES.get(-code, f'signal {-code}')}"
