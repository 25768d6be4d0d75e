"""Templates, rendered with what every page knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.requests import Request
from starlette.responses import Response

from cloche.console.door import HEADERS
from cloche.console.words import FILTERS, ago
from cloche.foundation.agenda import Standing
from cloche.foundation.clock import from_epoch

HERE = Path(__file__).parent
TURNED = {"hx-trigger": "turned"}
"""What htmx makes an event of, at the part that asked: the head of the page listens to it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this console is: printed at the foot of every page."""

    account: str
    region: str
    version: str
    data: str


class Pages:
    """``standing`` tells Cloche's time, which may be turned: what is so long ago is so by that. Where it is not the
    machine's, every page says so in its head, and every refresh of a page's part refreshes that, too (``TURNED``)."""

    def __init__(self, place: Place, standing: Callable[[], Standing]) -> None:
        self.place, self._standing = place, standing
        loader = jinja2.FileSystemLoader(HERE / "templates")
        # Members an operation leaves out are absent, so the templates treat what is not there as empty.
        self._environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self._environment.filters.update(FILTERS)
        self._environment.filters["ago"] = lambda at: ago(at, self.now())
        self._environment.globals.update(place=place, standing=standing)

    def now(self) -> datetime:
        return from_epoch(self._standing().now)

    def show(self, template: str, status: int = 200, **names: Any) -> Response:
        """A page, or a fragment of one (a template whose name begins with ``_``)."""
        text = self._environment.get_template(template).render(**names)
        headers = {**HEADERS, **TURNED} if template.startswith("_") and self._standing().is_turned else HEADERS
        return Response(text, status, headers, "text/html; charset=utf-8")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent."""
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
