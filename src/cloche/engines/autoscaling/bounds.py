"""The bounds of a target's capacity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cloche.storage.metadata.records import Record


class Bounds(NamedTuple):
    low: int
    high: int

    def hold(self, capacity: int) -> int:
        return max(self.low, min(self.high, capacity))


def bounds_of(target: Record) -> Bounds:
    return merged(target, {})


def merged(target: Record, given: Mapping[str, Any]) -> Bounds:
    """With what a request or a scheduled action changes of them."""
    both = {**target.request, **given}
    return Bounds(both["MinCapacity"], both["MaxCapacity"])


def breached(bounds: Bounds, capacity: int) -> tuple[str, int] | None:
    """Which bound a capacity is beyond, and where that is."""
    if capacity < bounds.low:
        return "minimum", bounds.low
    return ("maximum", bounds.high) if capacity > bounds.high else None
