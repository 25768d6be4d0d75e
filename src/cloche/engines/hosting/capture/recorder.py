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

from cloche.engines.hosting.answer import Answer, Headers
from cloche.engines.hosting.capture.lines import EMPTY, MARK, Heard, Told, facts_entry, request_entry
from cloche.engines.hosting.capture.plan import CapturePlan
from cloche.engines.hosting.capture.spool import Label, Spool, nowhere, this_boot, write_whole

if TYPE_CHECKING:
    from cloche.engines.hosting.capture.captures import Captures

log = logging.getLogger(__name__)

SUCCESSES: Final = range(200, 300)
FILE_SECONDS_MAX: Final = 10.0
APART_BYTES_MIN: Final = 256 * 1024
QUIET_SECONDS: Final = 1.0
"""A file is closed when nothing has been added for this long, or when it is this old: an object is there within
seconds, and steady traffic does not make one of every request. AWS's own files are about a minute apart."""


class Recorder:
    """``endpoint`` is its ARN. On the event loop, but for ``seal`` and ``turned``."""

    def __init__(self, captures: Captures, plan: CapturePlan, account: str, endpoint: str, variant: str) -> None:
        self.plan = plan
        self.variant = variant
        self._captures = captures
        self.wants: Callable[[int], bool] = SUCCESSES.__contains__ if plan.percentage >= 100 else self._draws
        """Whether to capture a request with an answer of that status: a success, and chosen by lot."""
        self._time = captures.clock.time
        self._account = account
        self._endpoint = endpoint
        self._takes_both = plan.input and plan.output
        self._facts = b""
        self._told: Told | None = None
        self._headers: Headers | None = None
        """Of the last request and its answer: what ``_facts`` hold for."""
        self._turns_at = float("-inf")
        """When Cloche's clock has another second, by ``perf_counter``."""
        self._second = 0
        self._moment = ""
        """That second, as the records of its requests have it."""
        self._hour = ""
        self._lock = Lock()
        """Held by who begins a file or ends one, but not to add to it: see ``Spool``."""
        self._spool: Spool | None = None
        self._add: Callable[[bytes], object] = nowhere
        """Of that file."""
        self._lost = 0

    def _draws(self, status: int) -> bool:
        return status in SUCCESSES and random.random() * 100 < self.plan.percentage  # noqa: S311

    def turned(self) -> None:
        """Cloche's clock has been turned. From any thread."""
        self._turns_at = float("-inf")

    def take(self, heard: Heard, answer: Answer, given: Callable[[str, Answer], None], at: float) -> None:
        """Write the record down, then hand ``answer``, which came ``at`` (by ``perf_counter``), on with the variant's
        name; at once, unless it is a long one."""
        if at >= self._turns_at:
            self._turn(at)
        body, event_id, told = heard
        output = answer.body
        if len(body) + len(output) > APART_BYTES_MIN:
            self._take_apart(heard, answer, given)
            return
        if not self._takes_both:
            body, output = body if self.plan.input else EMPTY, output if self.plan.output else EMPTY
        try:
            add = self._add
            if told is not self._told or answer.headers is not self._headers:
                self._look(told, answer)
                add(self._facts)
            add(event_id.encode().join((EMPTY, body, output, EMPTY)))
            add(MARK)
        except ValueError:  # there is no file, or no room in it
            self._open(request_entry(event_id, body, output) + MARK)
        given(self.variant, answer)

    def _look(self, told: Told, answer: Answer) -> None:
        """At a request of another form than the last, or an answer with another head."""
        self._facts = self._facts_of(told, answer)
        self._told, self._headers = told, answer.headers

    def _facts_of(self, told: Told, answer: Answer) -> bytes:
        return facts_entry(told, (answer.header(b"content-type") or b"").decode("latin-1"), self._moment)

    def _take_apart(self, heard: Heard, answer: Answer, given: Callable[[str, Answer], None]) -> None:
        """The same for a long record, in a thread and as a file of its own: nobody else waits for it."""
        path, label = self._captures.path(), self._label()
        body, event_id, told = heard
        facts = self._facts_of(told, answer)
        kept = body if self.plan.input else EMPTY, answer.body if self.plan.output else EMPTY

        def write() -> None:
            self._captures.reserve()
            size = write_whole(path, label, facts + request_entry(event_id, *kept) + MARK)
            self._captures.written(path, size)

        def written(work: asyncio.Future[None]) -> None:
            if isinstance(error := work.exception(), OSError):
                self._failed(error)
            elif error is not None:
                log.error("a request to %s could not be captured", self._endpoint, exc_info=error)
            given(self.variant, answer)

        asyncio.get_running_loop().run_in_executor(None, write).add_done_callback(written)

    def _turn(self, at: float) -> None:
        """Another second by Cloche's clock, which may be set: another hour goes into another file."""
        self._turns_at = float("inf")  # and not after the look at the clock, which may be turned right then
        now = self._time()
        self._second = int(now)
        self._turns_at = min(self._turns_at, at + (self._second + 1 - now))
        moment = time.gmtime(self._second)
        hour = time.strftime("%Y/%m/%d/%H", moment)
        if hour != self._hour:
            self.seal()
            self._hour = hour
        self._moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
        self._told = None

    def _open(self, entry: bytes) -> None:
        """Begin another file with the request. If there can be none, its record is lost."""
        label, data = self._label(), self._facts + entry
        with self._lock:
            if self._spool is not None:
                self._close(self._spool)
            try:
                spool = self._captures.empty(len(label.line()) + len(data))
            except OSError as error:
                self._failed(error)
                return
            spool.begin(label, data)
            self._spool, self._add = spool, spool.add
            self._captures.opened(self, spool)
        if self._lost:
            log.warning("%s is captured again; %d requests were not", self._endpoint, self._lost)
            self._lost = 0

    def _label(self) -> Label:
        """The key has the time of the file's first record."""
        name = self._endpoint.rpartition("/")[2]
        at = f"{time.strftime('%M-%S', time.gmtime(self._second))}-{int(self._time() * 1000) % 1000:03d}"
        start = f"{self.plan.prefix}/" if self.plan.prefix else ""
        key = f"{start}{name}/{self.variant}/{self._hour}/{at}-{uuid4()}.jsonl"
        return Label(self._account, self._endpoint, self.plan.bucket, key, self.plan.form(), this_boot())

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
        spool.seal()
        self._captures.closed(self, spool)
