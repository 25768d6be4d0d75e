"""What ``stats`` keeps of a group: for each function some places in a list, how an event changes them, how two lists
become one (each process has its own), and what is shown in the end.

``update`` is Python text in which ``{g}`` is the group's list, ``{i}`` its first place, ``{x}`` the value and ``{at}``
the event's (time, stream, number). It is put into the loop over the events as it is: a call for each would cost more
than all the rest. Percentiles are exact, between two values by their distance; ``stddev`` is of a sample.
docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.log_insights.scan.values import Value, natural

Places = list[Any]


@dataclass(frozen=True, slots=True)
class Keeping:
    """``needs``: ``present`` values, ``number``s, ``text``, or nothing of the event."""

    start: str
    update: str
    needs: str
    merge: Callable[[Places, Places, int], None]
    result: Callable[[Places, int, float], Value]
    width: int = 1


def _sum_up(mine: Places, other: Places, at: int) -> None:
    mine[at] += other[at]


def _sum_up_two(mine: Places, other: Places, at: int) -> None:
    mine[at] += other[at]
    mine[at + 1] += other[at + 1]


def _unite(mine: Places, other: Places, at: int) -> None:
    mine[at] |= other[at]


def _extend(mine: Places, other: Places, at: int) -> None:
    mine[at].extend(other[at])


def _keep(first: bool) -> Callable[[Places, Places, int], None]:
    """Of two (key, value) the one that comes first, or last."""

    def merge(mine: Places, other: Places, at: int) -> None:
        one, two = mine[at], other[at]
        if two is not None and (one is None or (two[0] < one[0] if first else two[0] > one[0])):
            mine[at] = two

    return merge


def _spread(mine: Places, other: Places, at: int) -> None:
    """Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances (1979)."""
    count, mean, squares = mine[at : at + 3]
    more, mean_of_more, squares_of_more = other[at : at + 3]
    total = count + more
    if more:
        apart = mean_of_more - mean
        mine[at] = total
        mine[at + 1] = mean + apart * more / total
        mine[at + 2] = squares + squares_of_more + apart * apart * count * more / total


def _percentile(places: Places, at: int, percentage: float) -> Value:
    values = sorted(places[at])
    if not values:
        return None
    rank = (len(values) - 1) * percentage / 100
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (rank - low)


def _value(places: Places, at: int, _: float) -> Value:
    return places[at]


def _second(places: Places, at: int, _: float) -> Value:
    return None if places[at] is None else places[at][1]


def _deviation(places: Places, at: int, _: float) -> Value:
    count, _mean, squares = places[at : at + 3]
    return None if not count else math.sqrt(max(0.0, squares) / (count - 1)) if count > 1 else 0.0


_BEST: Final = "cur = {g}[{i}]\nkey = {key}\nif cur is None or key {sign} cur[0]:\n    {g}[{i}] = (key, {x})"
_NATURAL: Final = "(2, {x}) if {x}.__class__ in NUMBERS else natural({x})"


def _best(key: str, sign: str) -> Keeping:
    update = _BEST.replace("{key}", key).replace("{sign}", sign)
    return Keeping("None", update, "present", _keep(sign == "<"), _second)


AGGREGATES: Final[dict[str, Keeping]] = {
    "count": Keeping("0", "{g}[{i}] += 1", "present", _sum_up, _value),
    "sum": Keeping("0", "{g}[{i}] += {x}", "number", _sum_up, _value),
    "avg": Keeping(
        "0, 0",
        "{g}[{i}] += {x}\n{g}[{i} + 1] += 1",
        "number",
        _sum_up_two,
        lambda places, at, _: places[at] / places[at + 1] if places[at + 1] else None,
        width=2,
    ),
    "stddev": Keeping(
        "0, 0.0, 0.0",
        "{g}[{i}] += 1\napart = {x} - {g}[{i} + 1]\n{g}[{i} + 1] += apart / {g}[{i}]\n"
        "{g}[{i} + 2] += apart * ({x} - {g}[{i} + 1])",
        "number",
        _spread,
        _deviation,
        width=3,
    ),
    "min": _best(_NATURAL, "<"),
    "max": _best(_NATURAL, ">"),
    "sortsfirst": _best(_NATURAL, "<"),
    "sortslast": _best(_NATURAL, ">"),
    "earliest": _best("{at}", "<"),
    "latest": _best("{at}", ">"),
    "pct": Keeping("array('d')", "{g}[{i}].append({x})", "number", _extend, _percentile),
    "median": Keeping("array('d')", "{g}[{i}].append({x})", "number", _extend, _percentile),
    "count_distinct": Keeping("set()", "{g}[{i}].add({x})", "text", _unite, lambda places, at, _: len(places[at])),
}
NAMES: Final[dict[str, Any]] = {"array": array, "natural": natural}
"""What ``start`` and ``update`` ask for by name."""
