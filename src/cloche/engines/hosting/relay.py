"""The containers of one instance, where a model has several: in a row, or each for itself.

In a row, the answer of one is the request of the next, and the last one's is the client's; an answer that is no
success is the client's too, whoever gave it. ``ContentType`` is what the client says for the first container and what
each says of its answer for the next. What the client accepts is the last one's to give, so the others are not told of
it; AWS does not say what it tells them. All of it is to be done in the time that one container would have.

Source: docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.connection import Data, Done, Pool, Unanswered, Unreachable
from cloche.engines.hosting.request import body_of, headers_of, request_bytes, request_head


class Way(NamedTuple):
    """Where a container listens; ``name`` is empty where it is the only one."""

    name: str
    path: str


class Relay:
    """What ``Pool`` is for one container."""

    def __init__(self, ways: Sequence[Way], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.names = [way.name for way in ways]
        self.pools = [Pool(way.path, loop) for way in ways]
        self._under_way = 0

    @property
    def outstanding(self) -> int:
        """Requests not yet answered; on its way from one container to the next, too, a request counts."""
        return max(self._under_way, sum(pool.outstanding for pool in self.pools))

    def named(self, container: str) -> Pool:
        return self.pools[self.names.index(container)]

    def send(self, data: Data, timeout_seconds: float, done: Done) -> None:
        self._under_way += 1

        def finished(answer: Answer | None, error: Exception | None) -> None:
            self._under_way -= 1
            done(answer, error)

        _Passage(self, headers_of(data), self.loop.time() + timeout_seconds, finished).send(data)

    def close(self) -> None:
        for pool in self.pools:
            pool.close()


class _Passage:
    """One request on its way through all of them."""

    def __init__(self, relay: Relay, headers: list[tuple[bytes, bytes]], deadline: float, done: Done) -> None:
        self._relay = relay
        self._headers = headers
        self._deadline = deadline
        self._done = done
        self._at = 0
        self._sent_at = 0.0
        self._spent: list[tuple[str, float]] = []

    def send(self, data: Data) -> None:
        """To the first; ``data`` is the client's request."""
        self._ask(request_bytes(self._head(self._type_of(self._headers)), body_of(data)))

    def _ask(self, data: Data) -> None:
        left = self._deadline - self._relay.loop.time()
        self._sent_at = perf_counter()
        self._relay.pools[self._at].send(data, max(left, 0.0), self._answered)

    def _answered(self, answer: Answer | None, error: Exception | None) -> None:
        is_last = self._at == len(self._relay.pools) - 1
        if answer is not None:
            self._spent.append((self._relay.names[self._at], (perf_counter() - self._sent_at) * 1e6))
            answer.containers = self._spent
        if answer is None and self._at and isinstance(error, Unreachable):
            # Those before it have read the request: it may not be sent again.
            self._done(None, Unanswered(f"{self._relay.names[self._at]} did not listen"))
        elif answer is None or is_last or answer.status >= 300:
            self._done(answer, error)
        else:
            self._at += 1
            self._ask(request_bytes(self._head(self._type_of(answer.headers)), answer.body))

    def _head(self, content_type: bytes | None) -> bytes:
        """Of the request to the container whose turn it is."""
        is_last = self._at == len(self._relay.pools) - 1
        dropped = (b"content-type",) if is_last else (b"content-type", b"accept")
        kept = [(name, value) for name, value in self._headers if name not in dropped]
        return request_head(kept if content_type is None else [(b"content-type", content_type), *kept])

    @staticmethod
    def _type_of(headers: list[tuple[bytes, bytes]]) -> bytes | None:
        return next((value for name, value in headers if name == b"content-type"), None)
