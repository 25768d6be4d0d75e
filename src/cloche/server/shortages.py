"""Declaring that there is no capacity of an instance type.

POST /_cloche/shortages   {"instance_type": "ml.m5.large", "seconds": 600}    0 ends it; answers when it will have ended
"""

from __future__ import annotations

import re
from typing import Final

from cloche.aws.http import HttpRequest
from cloche.foundation.clock import from_epoch, to_iso
from cloche.foundation.errors import Invalid
from cloche.jobs.shortages import Shortages
from cloche.server.own_routes import OneRoute, members_of, text_of

SECONDS_MAX: Final = 30 * 86_400
_TYPE: Final = re.compile(r"ml\.[a-z0-9-]{1,32}\.[a-z0-9-]{1,32}")


class ShortageRoutes(OneRoute):
    path = "/_cloche/shortages"

    def __init__(self, shortages: Shortages, token: str) -> None:
        super().__init__(token)
        self._shortages = shortages

    def work(self, request: HttpRequest) -> object:
        given = members_of(request.body)
        kind, seconds = text_of(given, "instance_type"), given.get("seconds")
        if _TYPE.fullmatch(kind) is None:
            raise Invalid("instance_type is no instance type such as ml.m5.large", field="instance_type")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= SECONDS_MAX:
            raise Invalid(f"seconds is no number from 0 to {SECONDS_MAX}", field="seconds")
        until = self._shortages.declare(kind, float(seconds))
        return {"instance_type": kind, "until": to_iso(from_epoch(until))}
