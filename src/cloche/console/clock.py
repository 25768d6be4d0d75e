"""Cloche's clock: how it stands, where it is going, what falls due next; and the buttons that turn it.

Its path is not ``/_cloche/clock``: that is the route that programs turn it by.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.console.pages import Pages, form_of
from cloche.foundation.agenda import Agenda
from cloche.foundation.errors import Conflict, Invalid
from cloche.foundation.spans import seconds_of

SPANS: Final = (("1h", "1 hour"), ("1d", "1 day"), ("7d", "7 days"))
MOVED: Final = "moved, turned"
"""Events of htmx's, after a button: the page's part that shows the clock looks again at once, and so does the head."""


class ClockPages:
    def __init__(self, agenda: Agenda, pages: Pages) -> None:
        self._agenda, self._pages = agenda, pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/time", self.clock),
            Route("/_cloche/time", self.turn, methods=["POST"]),
            Route("/_cloche/time/head", self.head),
        ]

    async def clock(self, request: Request) -> Response:
        upcoming = await asyncio.to_thread(self._agenda.upcoming)
        template = "_clock.html" if "hx-request" in request.headers else "clock.html"
        return self._pages.show(template, upcoming=upcoming, spans=SPANS)

    async def head(self, request: Request) -> Response:
        """What every page says of the clock while it is turned."""
        return self._pages.show("_clock_head.html")

    async def turn(self, request: Request) -> Response:
        form = await form_of(request)
        error = ""
        try:
            await asyncio.to_thread(self._turn, form.get("do", ""), form.get("span", ""))
        except (Conflict, Invalid) as refused:
            error = refused.message
        answer = self._pages.show("_clock_said.html", error=error)
        answer.headers["hx-trigger"] = MOVED
        return answer

    def _turn(self, do: str, span: str) -> None:
        """Raises ``Invalid``, ``Conflict``."""
        match do:
            case "freeze":
                self._agenda.freeze()
            case "resume":
                self._agenda.resume()
            case "stop":
                self._agenda.give_up()
            case "advance":
                seconds = seconds_of(span)
                self._agenda.advance(self._agenda.standing().now + seconds)
            case _:
                raise Invalid("do is freeze, resume, advance or stop", field="do")
