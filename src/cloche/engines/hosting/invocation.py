"""One request to an endpoint: choose an instance, send, wait out a restart, count.

Runs on the event loop and answers through a callback, so the server's quick path needs no task per request;
``Invoker.invoke`` wraps it for those who would rather await. Which instance is asked is ``choosing``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.capture import Heard
from cloche.engines.hosting.choosing import (
    LOOK_SECONDS,
    REFUSALS,
    Choosing,
    EndpointUnknown,
    NothingServes,
    SessionUnknown,
    VariantUnknown,
)
from cloche.engines.hosting.connection import Data, Full, TimedOut, Unanswered, Unreachable
from cloche.engines.hosting.relay import Relay
from cloche.engines.hosting.router import (
    ComponentWanted,
    ContainerUnknown,
    ContainerWanted,
    Key,
    NotStreamed,
    Router,
    ScaledToNone,
    Target,
    Wanted,
)

INVOCATION_SECONDS: Final = 60.0
"""Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html."""
STREAM_SECONDS: Final = 480.0
"""Source: docs.aws.amazon.com/marketplace/latest/userguide/ml-service-restrictions-and-limits.html ("response timeout
per invocation: 60 seconds for regular responses and 8 minutes for streaming responses")."""
RECOVERY_SECONDS: Final = 15.0


Outcome = (
    Answer
    | TimedOut
    | Unanswered
    | NothingServes
    | Full
    | EndpointUnknown
    | VariantUnknown
    | SessionUnknown
    | ComponentWanted
    | ContainerWanted
    | ContainerUnknown
    | NotStreamed
    | ScaledToNone
)
Done = Callable[[str, Outcome], None]
"""Called once with the variant's name (empty where none was chosen) and what came of the request."""


class _Call:
    __slots__ = ("_choosing", "_data", "_done", "_heard", "_invoker", "_sent_at", "_target")

    def __init__(self, invoker: Invoker, choosing: Choosing, data: Data, done: Done, heard: Heard) -> None:
        self._invoker = invoker
        self._choosing = choosing
        self._data = data
        self._done = done
        self._heard = heard
        self._sent_at = choosing.started_at
        self._target: Target | None = None

    def begin(self) -> None:
        try:
            target = self._target = self._choosing.target()
        except REFUSALS as unknown:
            self._done("", unknown)
            return
        if target is None:
            self._wait()
            return
        pool = target.pool
        if pool is None:
            pool = target.open(self._invoker.loop)
        if container := self._choosing.container:
            assert isinstance(pool, Relay)
            pool = pool.named(container)
        self._sent_at = perf_counter()
        pool.send(self._data, self._invoker.timeout_seconds, self._answered)

    def _answered(self, answer: Answer | None, error: Exception | None) -> None:
        choosing = self._choosing
        if answer is not None:
            assert choosing.variant is not None and self._target is not None
            answer.instance = self._target.instance
            now = perf_counter()
            model, overhead = (now - self._sent_at) * 1e6, (self._sent_at - choosing.started_at) * 1e6
            choosing.variant.traffic.count(answer.status, model, overhead, choosing.container)
            if answer.containers is not None:
                for container, microseconds in answer.containers:
                    choosing.variant.traffic.spend(container, microseconds)
            recorder = choosing.variant.recorder
            if recorder is None or recorder.take(self._heard, answer, now):
                self._done(choosing.variant.name, answer)
            else:
                recorder.take_apart(self._heard, answer, self._done)
        elif isinstance(error, Unreachable):
            assert self._target is not None
            self._invoker.unreachable(choosing.key, self._target.instance)
            if choosing.missed():
                self._invoker.loop.call_soon(self.begin)
            else:
                self._wait()
        elif isinstance(error, (TimedOut, Unanswered, Full)):
            self._fail(error)
        else:
            raise AssertionError(error)

    def _wait(self) -> None:
        if self._choosing.may_wait():
            self._invoker.loop.call_later(LOOK_SECONDS, self.begin)
        else:
            self._fail(NothingServes("no model server of the endpoint could be reached"))

    def _fail(self, outcome: TimedOut | Unanswered | Full | NothingServes) -> None:
        count_failure(self._choosing, outcome)
        self._done(self._choosing.name, outcome)


def count_failure(choosing: Choosing, outcome: Exception) -> None:
    """Of a request that got no answer."""
    assert choosing.variant is not None
    is_models = not isinstance(outcome, (Full, NothingServes))
    status = 503 if isinstance(outcome, Full) else 500
    choosing.variant.traffic.fail(status, is_models=is_models, container=choosing.container)


class Invoker:
    """Sends requests along the router's routes. ``unreachable(key, instance)`` is told when one does not listen."""

    def __init__(
        self,
        router: Router,
        unreachable: Callable[[Key, str], None],
        *,
        timeout_seconds: float = INVOCATION_SECONDS,
        stream_seconds: float = STREAM_SECONDS,
        recovery_seconds: float = RECOVERY_SECONDS,
    ) -> None:
        self.router = router
        self.unreachable = unreachable
        self.timeout_seconds = timeout_seconds
        self.stream_seconds = stream_seconds
        self.recovery_seconds = recovery_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def choosing(self, key: Key, wanted: Wanted) -> Choosing:
        return Choosing(self.router, key, wanted, self.recovery_seconds)

    def send(self, key: Key, wanted: Wanted, data: Data, done: Done, heard: Heard) -> None:
        """Send ``data`` (see ``request``) where ``wanted`` says, or by the variants' weights. ``heard`` is what
        to capture of the request, if it is captured: durably against a kill, before ``done`` is called."""
        _Call(self, self.choosing(key, wanted), data, done, heard).begin()

    async def invoke(self, key: Key, wanted: Wanted, data: Data, heard: Heard) -> tuple[str, Outcome]:
        """The same, awaited: the variant's name and what came of the request."""
        future: asyncio.Future[tuple[str, Outcome]] = self.loop.create_future()

        def done(variant: str, outcome: Outcome) -> None:
            if not future.done():
                future.set_result((variant, outcome))

        self.send(key, wanted, data, done, heard)
        return await future
