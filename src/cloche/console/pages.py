"""Templates, rendered with what every page knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import Response

from cloche.console.door import HEADERS
from cloche.console.words import FILTERS, ago

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Place:
    """Where this console is: printed at the foot of every page."""

    account: str
    region: str
    version: str
    data: str


def present() -> datetime:
    return datetime.now(UTC)


class Pages:
    """``now`` is Cloche's time, which may be turned: what is so long ago is so by that."""

    def __init__(self, place: Place, now: Callable[[], datetime] = present) -> None:
        self.place, self.now = place, now
        loader = jinja2.FileSystemLoader(HERE / "templates")
        # Members an operation leaves out are absent, so the templates treat what is not there as empty.
        self._environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self._environment.filters.update(FILTERS)
        self._environment.filters["ago"] = lambda at: ago(at, now())
        self._environment.globals["place"] = place

    def show(self, template: str, status: int = 200, **names: Any) -> Response:
        """A page, or a fragment of one (a template whose name begins with ``_``)."""
        text = self._environment.get_template(template).render(**names)
        return Response(text, status, HEADERS, "text/html; charset=utf-8")
