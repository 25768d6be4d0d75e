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
SAMPLE: Final = 1_000
SORTED_AT_ONCE_MAX: Final = 10_000


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
    values = places[at]
    if not values:
        return None
    rank = (len(values) - 1) * percentage / 100
    low = math.floor(rank)
    one, two = _ordered(values, low, min(low + 1, len(values) - 1))
    return one + (two - one) * (rank - low)


def _ordered(values: array[float], low: int, high: int) -> tuple[float, float]:
    """What would stand at two neighbouring places if ``values`` were sorted. Most of many cannot be there: a sample
    tells between which values the places are, and only those are sorted (a tenth of the time, where there are 100,000).
    """
    count = len(values)
    if count > SORTED_AT_ONCE_MAX:
        sample = sorted(values[:: count // SAMPLE])
        place, apart = low * len(sample) // count, SAMPLE // 16
        least = sample[place - apart] if place > apart else -math.inf
        most = sample[place + apart] if place + apart < len(sample) else math.inf
        beyond = [value for value in values if value >= least]
        between = sorted([value for value in beyond if value <= most])
        before = count - len(beyond)
        if before <= low and high < before + len(between):
            return between[low - before], between[high - before]
    found = sorted(values)
    return found[low], found[high]


def _value(places: Places, at: int, _: float) -> Value:
    return places[at]


def _second(places: Places, at: int, _: float) -> Value:
    return None if places[at] is None else places[at][1]


def _deviation(places: Places, at: int, _: float) -> Value:
    count, _mean, squares = places[at : at + 3]
    return None if not count else math.sqrt(max(0.0, squares) / (count - 1)) if count > 1 else 0.0


def _at_the_end(sign: str) -> Keeping:
    """The earliest or the latest."""
    update = f"cur = {{g}}[{{i}}]\nif cur is None or {{at}} {sign} cur[0]:\n    {{g}}[{{i}}] = ({{at}}, {{x}})"
    return Keeping("None", update, "present", _keep(sign == "<"), _second)


_BEST: Final = """\
if {x}.__class__ not in NUMBERS or {x} {sign} {g}[{i} + 1]:
    cur = {g}[{i}]
    key = (2, {x}) if {x}.__class__ in NUMBERS else natural({x})
    if cur is None or key {sign} cur[0]:
        {g}[{i}] = (key, {x})
        if {x}.__class__ in NUMBERS: {g}[{i} + 1] = {x}"""


def _best(sign: str) -> Keeping:
    """In natural order. The second place is what a number must be beyond to be looked at: nearly none is."""
    start = "None, inf" if sign == "<" else "None, -inf"
    return Keeping(start, _BEST.replace("{sign}", sign), "present", _keep(sign == "<"), _second, width=2)


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
    "min": _best("<"),
    "max": _best(">"),
    "sortsfirst": _best("<"),
    "sortslast": _best(">"),
    "earliest": _at_the_end("<"),
    "latest": _at_the_end(">"),
    "pct": Keeping("array('d')", "{g}[{i}].append({x})", "number", _extend, _percentile),
    "median": Keeping("array('d')", "{g}[{i}].append({x})", "number", _extend, _percentile),
    "count_distinct": Keeping("set()", "{g}[{i}].add({x})", "text", _unite, lambda places, at, _: len(places[at])),
}
NAMES: Final[dict[str, Any]] = {"array": array, "inf": math.inf, "natural": natural}
"""What ``start`` and ``update`` ask for by name."""
