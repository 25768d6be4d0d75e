"""Spans of time as people write them to let them pass: ``90s``, ``5m``, ``+1h``, ``30d``, ``1d12h``, ``2w``."""

from __future__ import annotations

import re
from typing import Final

from cloche.foundation.errors import Invalid

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SHOWN_MAX: Final = 40
_NUMBER: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_PARTS: Final = re.compile(rf"({_NUMBER})([smhdw])")
_SPAN: Final = re.compile(rf"\+?((?:{_NUMBER}[smhdw])+)")


def seconds_of(span: str) -> float:
    """``1d12h`` in seconds. Raises ``Invalid``."""
    whole = _SPAN.fullmatch(span.strip())
    if whole is None:
        shown = span if len(span) <= SHOWN_MAX else f"{span[:SHOWN_MAX]}…"
        raise Invalid(f"{shown} is no span of time, as 90s, 5m, +1h, 30d or 1d12h", field="span")
    return sum(float(number) * UNITS[unit] for number, unit in _PARTS.findall(whole[1]))
