"""Requests as they arrive: the newest, and a stream of server-sent events to each open page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloche.console.door import HEADERS
from cloche.console.pages import Pages
from cloche.console.recent import Recent
from cloche.foundation.bus import RequestServed

PENDING_MAX = 1_000
QUIET_SECONDS = 15.0

_Listener = tuple[asyncio.AbstractEventLoop, asyncio.Queue[RequestServed | None]]


class Feed:
    def __init__(self, recent: Recent, pages: Pages) -> None:
        self._recent = recent
        self._pages = pages
        self._open: set[_Listener] = set()
        recent.tell(self._tell)

    def routes(self) -> list[Route]:
        return [Route("/_cloche/requests", self.page), Route("/_cloche/requests/live", self.live)]

    async def page(self, request: Request) -> Response:
        return self._pages.show("requests.html", requests=self._recent.newest())

    async def live(self, request: Request) -> Response:
        headers = {**HEADERS, "x-accel-buffering": "no"}
        return StreamingResponse(self._events(), 200, headers, "text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        mine: _Listener = (asyncio.get_running_loop(), asyncio.Queue(PENDING_MAX))
        self._open.add(mine)
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    served = await asyncio.wait_for(mine[1].get(), QUIET_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if served is None:
                    return
                yield f"data: {json.dumps(_shown(served))}\n\n"
        finally:
            self._open.discard(mine)

    def close(self) -> None:
        """End the open streams, so that a server that is going down need not wait for browsers."""
        self._tell(None)

    def _tell(self, served: RequestServed | None) -> None:
        for loop, queue in list(self._open):
            loop.call_soon_threadsafe(_offer, queue, served)


def _offer(queue: asyncio.Queue[RequestServed | None], served: RequestServed | None) -> None:
    if not queue.full():  # a page that cannot keep up misses lines; the server does not wait for it
        queue.put_nowait(served)


def _shown(served: RequestServed) -> dict[str, str | float]:
    return {
        "at": served.at,
        "service": served.service + (" → fallback" if served.passed_on else ""),
        "passed_on": served.passed_on,
        "operation": served.operation,
        "status": served.status,
        "code": served.code,
        "milliseconds": round(served.seconds * 1000, 2),
        "caller": served.caller,
        "id": served.request_id,
    }
