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
from cloche.engines.hosting.capture.heard import Heard
from cloche.engines.hosting.capture.lines import EMPTY, Told
from cloche.engines.hosting.capture.plan import CapturePlan
from cloche.engines.hosting.capture.spool import Label, Spool, draw, this_boot, write_whole

if TYPE_CHECKING:
    from cloche.engines.hosting.capture.captures import Captures

log = logging.getLogger(__name__)

join: Final = EMPTY.join
SUCCESSES: Final = range(200, 300)
FILE_SECONDS_MAX: Final = 10.0
APART_BYTES_MIN: Final = 256 * 1024
QUIET_SECONDS: Final = 1.0
"""A file is closed when nothing has been added for this long, or when it is this old: an object is there within
seconds, and steady traffic does not make one of every request. AWS's own files are about a minute apart."""


Facts = tuple[Told, str, str]
"""Of the request, the answer's content type, the time."""
Take = Callable[[Heard, Answer, float], bool]
"""See ``Recorder.take``."""


class Recorder:
    """``endpoint`` is its ARN. On the event loop, but for ``seal`` and ``turned``."""

    def __init__(self, captures: Captures, plan: CapturePlan, account: str, endpoint: str, variant: str) -> None:
        self.plan = plan
        self.variant = variant
        self._captures = captures
        self._time = captures.clock.time
        self._account = account
        self._endpoint = endpoint
        self._share = plan.percentage / 100
        self._facts: Facts | None = None
        """Those that stand last in the file."""
        self._turns_at = float("-inf")
        """When Cloche's clock has another second, by ``perf_counter``."""
        self._second = 0
        self._moment = ""
        """That second, as the records of its requests have it."""
        self._hour = ""
        self._lock = Lock()
        """Held by who begins a file or ends one, but not to add to it: see ``Spool``."""
        self._spool: Spool | None = None
        self._lost = 0
        self.take: Take = self._drawn(self.take_chosen)
        """Write down the record of a request and its answer, which came ``at`` (by ``perf_counter``), if it is to be
        captured: a success, and chosen by lot. ``False``: it is a long one, and nothing is written; see
        ``take_apart``."""

    def wants(self, status: int) -> bool:
        """Whether to capture a request with an answer of that status."""
        return status in SUCCESSES and random.random() < self._share  # noqa: S311

    def turned(self) -> None:
        """Cloche's clock has been turned. From any thread."""
        self._turns_at = float("-inf")
        self.take = self._drawn(self.take_chosen)

    def take_chosen(self, heard: Heard, answer: Answer, at: float) -> bool:
        """``take`` without the lot."""
        if answer.status not in SUCCESSES:
            return True
        if len(heard.body) + len(answer.body) > APART_BYTES_MIN:
            return False
        if at >= self._turns_at:
            self._turn(at)
        turns_at, spool = self._turns_at, self._spool
        facts, sides = self._facts_of(heard.told, answer), self._sides(heard, answer)
        try:
            if spool is None:
                raise ValueError
            add, dividers = spool.add, spool.dividers
            if facts != self._facts:
                add(dividers.facts_entry(*facts))
                self._facts = facts
            add(dividers.request_entry(heard.id, *sides))
            add(dividers.mark)
        except ValueError:  # there is no file, or no room in it
            spool = self._open(facts, heard.id, sides)
        if spool is not None:
            self.take = self._drawn(self._alike(heard.told, answer, turns_at, spool))
            if self._spool is not spool or self._turns_at != turns_at:  # sealed, or turned, meanwhile
                self.take = self._drawn(self.take_chosen)
        return True

    def _drawn(self, take: Take) -> Take:
        share, draw = self._share, random.random
        if share >= 1:
            return take
        return lambda heard, answer, at: draw() >= share or take(heard, answer, at)

    def _alike(self, told: Told, first: Answer, turns_at: float, spool: Spool) -> Take:
        """Takes requests like the last into that file, in that second, in as few steps as there can be: this is done
        for every request. An answer with the last one's headers, the very list, has its status, too."""
        headers, content_type = first.headers, first.header(b"content-type")
        add, dividers, others = spool.add, spool.dividers, self.take_chosen
        asked, answered, mark = dividers.asked, dividers.answered, dividers.mark
        input, output = self.plan.input, self.plan.output

        def take(heard: Heard, answer: Answer, at: float) -> bool:
            nonlocal headers
            if answer.headers is not headers:
                if answer.header(b"content-type") != content_type or answer.status not in SUCCESSES:
                    return others(heard, answer, at)
                headers = answer.headers
            if at >= turns_at or (heard.told is not told and heard.told != told):
                return others(heard, answer, at)
            pieces = heard.body if input else EMPTY, asked, answer.body if output else EMPTY, answered, heard.id
            entry = join(pieces)
            if len(entry) > APART_BYTES_MIN:
                return others(heard, answer, at)
            try:
                add(entry)
                add(mark)
            except ValueError:  # it is full, or sealed
                return others(heard, answer, at)
            return True

        return take

    def _sides(self, heard: Heard, answer: Answer) -> tuple[bytes, bytes]:
        """What of the two bodies is captured."""
        return heard.body if self.plan.input else EMPTY, answer.body if self.plan.output else EMPTY

    def _facts_of(self, told: Told, answer: Answer) -> Facts:
        return told, (answer.header(b"content-type") or b"").decode("latin-1"), self._moment

    def take_apart(self, heard: Heard, answer: Answer, given: Callable[[str, Answer], None]) -> None:
        """Write a long record down, in a thread and as a file of its own, since nobody else should wait for it; then
        hand ``answer`` on with the variant's name."""
        if (at := time.perf_counter()) >= self._turns_at:
            self._turn(at)
        path, label = self._captures.path(), self._label()
        dividers, facts = label.dividers(), self._facts_of(heard.told, answer)
        request = dividers.request_entry(heard.id, *self._sides(heard, answer)) + dividers.mark

        def write() -> None:
            self._captures.reserve()
            size = write_whole(path, label, dividers.facts_entry(*facts) + request)
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

    def _open(self, facts: Facts, id: bytes, sides: tuple[bytes, bytes]) -> Spool | None:
        """Begin another file with the request. If there can be none, its record is lost."""
        label = self._label()
        dividers = label.dividers()
        data = dividers.facts_entry(*facts) + dividers.request_entry(id, *sides)
        with self._lock:
            if self._spool is not None:
                self._close(self._spool)
            try:
                spool = self._captures.empty(len(label.line()) + len(data) + len(dividers.mark))
            except OSError as error:
                self._failed(error)
                return None
            spool.begin(label, dividers, data)
            self._spool, self._facts = spool, facts
            self._captures.opened(self, spool)
        if self._lost:
            log.warning("%s is captured again; %d requests were not", self._endpoint, self._lost)
            self._lost = 0
        return spool

    def _label(self) -> Label:
        """The key has the time of the file's first record."""
        name = self._endpoint.rpartition("/")[2]
        at = f"{time.strftime('%M-%S', time.gmtime(self._second))}-{int(self._time() * 1000) % 1000:03d}"
        start = f"{self.plan.prefix}/" if self.plan.prefix else ""
        key = f"{start}{name}/{self.variant}/{self._hour}/{at}-{uuid4()}.jsonl"
        return Label(self._account, self._endpoint, self.plan.bucket, key, self.plan.form(), draw(), this_boot())

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
        self._spool = None
        self.take = self._drawn(self.take_chosen)  # what has been taken so far knows a file that others may fill next
        spool.seal()
        self._captures.closed(self, spool)
