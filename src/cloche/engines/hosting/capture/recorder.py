"""Captures what one variant is asked and answers: each record is in its file before the answer is handed on."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.capture.lines import Heard, Lines, end_of
from cloche.engines.hosting.capture.plan import CapturePlan
from cloche.engines.hosting.capture.spool import Label, Spool, nowhere, write_whole

if TYPE_CHECKING:
    from cloche.engines.hosting.capture.captures import Captures

log = logging.getLogger(__name__)

FILE_SECONDS_MAX: Final = 10.0
APART_BYTES_MIN: Final = 256 * 1024
QUIET_SECONDS: Final = 1.0
"""A file is closed when nothing has been added for this long, or when it is this old: an object is there within
seconds, and steady traffic does not make one of every request. AWS's own files are about a minute apart."""


class Recorder:
    """``endpoint`` is its ARN. On the event loop, but for ``seal``."""

    def __init__(self, captures: Captures, plan: CapturePlan, account: str, endpoint: str, variant: str) -> None:
        self.plan = plan
        self.variant = variant
        self._captures = captures
        self._time = captures.clock.time
        self._account = account
        self._endpoint = endpoint
        self._line = Lines(plan).line
        self._second = -1
        self._end = b""
        """Of the lines of this second."""
        self._hour = ""
        self._lock = Lock()
        self._spool: Spool | None = None
        self._add: Callable[[bytes], object] = nowhere
        """Of that file."""
        self._lost = 0

    def wants(self, status: int) -> bool:
        """Whether to capture a request with that answer: a success, and chosen by lot."""
        if not 200 <= status < 300:
            return False
        percentage = self.plan.percentage
        return percentage >= 100 or random.random() * 100 < percentage  # noqa: S311

    def take(self, heard: Heard, answer: Answer, given: Callable[[str, Answer], None]) -> None:
        """Write the record down, then hand ``answer`` on with the variant's name; at once, unless it is a long one."""
        now = self._time()
        if int(now) != self._second:
            self._turn(now)
        output_type = answer.header(b"content-type") or b""
        if len(heard[0]) + len(answer.body) > APART_BYTES_MIN:
            self._take_apart(heard, output_type, answer, self._label(now), given)
            return
        data = self._line(heard, output_type, answer.body, self._end)
        try:
            with self._lock:
                try:
                    self._add(data)
                except ValueError:  # there is no file, or no room in it
                    self._open(data, now)
        except OSError as error:
            self._failed(error)
        given(self.variant, answer)

    def _take_apart(
        self, heard: Heard, output_type: bytes, answer: Answer, label: Label, given: Callable[[str, Answer], None]
    ) -> None:
        """The same for a long record, in a thread and as a file of its own: nobody else waits for it."""
        path, end = self._captures.path(), self._end

        def write() -> None:
            self._captures.reserve()
            size = write_whole(path, label, self._line(heard, output_type, answer.body, end))
            self._captures.written(path, size)

        def written(work: asyncio.Future[None]) -> None:
            if isinstance(error := work.exception(), OSError):
                self._failed(error)
            elif error is not None:
                log.error("a request to %s could not be captured", self._endpoint, exc_info=error)
            given(self.variant, answer)

        asyncio.get_running_loop().run_in_executor(None, write).add_done_callback(written)

    def _turn(self, now: float) -> None:
        """Another second by Cloche's clock, which may be set: another hour goes into another file."""
        second = int(now)
        at = time.gmtime(second)
        hour = time.strftime("%Y/%m/%d/%H", at)
        if hour != self._hour:
            self.seal()
            self._hour = hour
        self._second = second
        self._end = end_of(time.strftime("%Y-%m-%dT%H:%M:%SZ", at))

    def _open(self, data: bytes, now: float) -> None:
        """With the lock. Raises ``OSError``; the file before is then closed, and there is none."""
        if self._spool is not None:
            self._close(self._spool)
        label = self._label(now)
        spool = self._captures.empty(len(label.line()) + len(data))
        spool.begin(label, data)
        self._spool, self._add = spool, spool.add
        self._captures.opened(self, spool)
        if self._lost:
            log.warning("%s is captured again; %d requests were not", self._endpoint, self._lost)
            self._lost = 0

    def _label(self, now: float) -> Label:
        """The key has the time of the file's first record."""
        name = self._endpoint.rpartition("/")[2]
        at = f"{time.strftime('%M-%S', time.gmtime(now))}-{int(now * 1000) % 1000:03d}"
        start = f"{self.plan.prefix}/" if self.plan.prefix else ""
        key = f"{start}{name}/{self.variant}/{self._hour}/{at}-{uuid4()}.jsonl"
        return Label(self._account, self._endpoint, self.plan.bucket, key)

    def _failed(self, error: OSError) -> None:
        if not self._lost:
            log.warning("requests to %s cannot be captured: %s", self._endpoint, error)
        self._lost += 1

    def seal(self, before: float = float("inf")) -> None:
        """Close the file, so that it is delivered, if it has been quiet or open for too long at ``before``, the
        machine's monotonic clock; in any case without. From any thread."""
        with self._lock:
            spool = self._spool
            if spool is not None and (
                spool.quiet_seconds(before) >= QUIET_SECONDS or before - spool.opened_at >= FILE_SECONDS_MAX
            ):
                self._close(spool)

    def _close(self, spool: Spool) -> None:
        """With the lock."""
        self._spool, self._add = None, nowhere
        self._captures.closed(self, spool)
