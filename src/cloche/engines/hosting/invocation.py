"""One request to an endpoint: choose an instance, send, wait out a restart, count.

Runs on the event loop and answers through a callback, so the server's quick path needs no task per request;
``Invoker.invoke`` wraps it for those who would rather await.

While no instance of the variant listens (its model server died and is being started again), the request waits up
to ``RECOVERY_SECONDS`` and looks again; it was not sent to anybody, so nothing can happen twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.connection import Full, Pool, TimedOut, Unanswered, Unreachable
from cloche.engines.hosting.router import Key, Route, Router, Target, Variant
from cloche.foundation.errors import NotFound

INVOCATION_SECONDS: Final = 60.0
"""Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html."""
RECOVERY_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.05


class EndpointUnknown(NotFound):
    """No endpoint of that name serves."""


class VariantUnknown(NotFound):
    """The endpoint serves, but has no variant of that name."""


class NothingServes(Exception):
    """The endpoint is there, but no model server could be reached."""


Outcome = Answer | TimedOut | Unanswered | NothingServes | Full | EndpointUnknown | VariantUnknown
Done = Callable[[str, Outcome], None]
"""Called once with the variant's name (empty where none was chosen) and what came of the request."""


def request_bytes(headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A whole ``POST /invocations``. Raises ``ValueError`` for a header value that would end its line."""
    lines = [b"POST /invocations HTTP/1.1\r\nhost: localhost\r\n"]
    for name, value in headers:
        if b"\n" in value or b"\r" in value:
            raise ValueError("a header's value may not contain a line break")
        lines += (name, b": ", value, b"\r\n")
    lines += (b"content-length: %d\r\n\r\n" % len(body), body)
    return b"".join(lines)


class _Call:
    __slots__ = (
        "_data",
        "_done",
        "_invoker",
        "_key",
        "_misses",
        "_sent_at",
        "_started_at",
        "_tried",
        "_variant",
        "_wanted",
    )

    def __init__(self, invoker: Invoker, key: Key, wanted: str, data: bytes, done: Done) -> None:
        self._invoker = invoker
        self._key = key
        self._wanted = wanted
        self._data = data
        self._done = done
        self._started_at = self._sent_at = perf_counter()
        self._variant: Variant | None = None
        self._tried: Target | None = None
        self._misses = 0

    def begin(self) -> None:
        route = self._invoker.router.get(self._key)
        if route is None:
            self._done("", EndpointUnknown("no endpoint of that name serves"))
            return
        variant = self._choose(route)
        if variant is None:
            self._done("", VariantUnknown("the endpoint has no such variant"))
            return
        self._variant = variant
        target = variant.least_busy(self._tried)
        if target is None:
            self._wait()
            return
        self._tried = target
        pool = target.pool
        if pool is None:
            pool = target.pool = Pool(target.path, self._invoker.loop)
        self._sent_at = perf_counter()
        pool.send(self._data, self._invoker.timeout_seconds, self._answered)

    def _choose(self, route: Route) -> Variant | None:
        if self._wanted:
            return route.by_name.get(self._wanted)
        if self._variant is not None and self._variant.name in route.by_name:
            return route.by_name[self._variant.name]  # a second try stays with the variant it was dealt
        return route.choose()

    def _answered(self, answer: Answer | None, error: Exception | None) -> None:
        if answer is not None:
            self._count(answer.status, answered=True)
            self._done(self._name, answer)
        elif isinstance(error, Unreachable):
            self._invoker.unreachable(self._key)
            self._misses += 1
            if self._variant is not None and self._misses < len(self._variant.targets):
                self._invoker.loop.call_soon(self.begin)
            else:
                self._wait()
        elif isinstance(error, (TimedOut, Unanswered, Full)):
            self._count(503 if isinstance(error, Full) else 500, answered=False)
            self._done(self._name, error)
        else:
            raise AssertionError(error)

    @property
    def _name(self) -> str:
        return self._variant.name if self._variant is not None else ""

    def _wait(self) -> None:
        """All of them were unreachable: look again in a while, as long as a restart may take."""
        self._tried = None
        self._misses = 0
        if perf_counter() - self._started_at < self._invoker.recovery_seconds:
            self._invoker.loop.call_later(_LOOK_SECONDS, self.begin)
            return
        self._count(500, answered=False)
        self._done(self._name, NothingServes("no model server of the endpoint could be reached"))

    def _count(self, status: int, *, answered: bool) -> None:
        assert self._variant is not None
        now = perf_counter()
        model = (now - self._sent_at) * 1e6
        overhead = (self._sent_at - self._started_at) * 1e6
        self._variant.traffic.count(status, model if answered else None, overhead if answered else None)


class Invoker:
    """Sends requests along the router's routes. ``unreachable(key)`` is told when a server does not listen."""

    def __init__(
        self,
        router: Router,
        unreachable: Callable[[Key], None],
        *,
        timeout_seconds: float = INVOCATION_SECONDS,
        recovery_seconds: float = RECOVERY_SECONDS,
    ) -> None:
        self.router = router
        self.unreachable = unreachable
        self.timeout_seconds = timeout_seconds
        self.recovery_seconds = recovery_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def send(self, key: Key, wanted: str, data: bytes, done: Done) -> None:
        """Send ``data`` (see ``request_bytes``) to the variant ``wanted``, or to one by weight if that is empty."""
        _Call(self, key, wanted, data, done).begin()

    async def invoke(self, key: Key, wanted: str, data: bytes) -> tuple[str, Outcome]:
        """The same, awaited: the variant's name and what came of the request."""
        future: asyncio.Future[tuple[str, Outcome]] = self.loop.create_future()

        def done(variant: str, outcome: Outcome) -> None:
            if not future.done():
                future.set_result((variant, outcome))

        self.send(key, wanted, data, done)
        return await future
