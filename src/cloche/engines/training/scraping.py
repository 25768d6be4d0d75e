"""Metric values in lines of a log.

The expressions come from users, and Python's matcher can take exponential time. So what would allow that is refused
when the job is created (``check``): a repetition inside a repetition, back-references, and more repetitions in a row
than a line can bear (time is the line's length to that power). Besides, only the first part of a long line is
searched, and an expression that was slow all the same is not asked again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from re import _constants, _parser
from typing import Any, Final

from cloche.engines.training.plan import Metric
from cloche.foundation.errors import Invalid

LINE_CHARACTERS_MAX: Final = 1_000
SEARCH_SECONDS_MAX: Final = 0.25
WIDE_MAX: Final = 3
UNBOUNDED_MIN: Final = 100
"""A repetition allowed this often counts as one without a bound."""


def check(metric: Metric) -> None:
    """Raises ``Invalid`` for an expression that cannot be used, naming the metric."""
    try:
        tree = _parser.parse(metric.regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise Invalid(f"Regex of metric {metric.name} is not a regular expression: {error}") from None
    if tree.state.groups < 2:
        raise Invalid(f"Regex of metric {metric.name} has no group that would hold the value")
    if _walk(metric, tree, inside=False) > WIDE_MAX:
        raise Invalid(f"Regex of metric {metric.name} has more than {WIDE_MAX} repetitions of nearly any character")


def _walk(metric: Metric, node: Any, *, inside: bool) -> int:
    """The number of repetitions of wide sets of characters."""
    if isinstance(node, _parser.SubPattern):
        return sum(_walk(metric, item, inside=inside) for item in node)
    if isinstance(node, tuple) and node and node[0] in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
        _, (_, most, body) = node
        unbounded = most >= UNBOUNDED_MIN
        if unbounded and inside:
            raise Invalid(f"Regex of metric {metric.name} repeats what itself repeats, which can take for ever")
        return _walk(metric, body, inside=inside or unbounded) + (1 if unbounded and _is_wide(body) else 0)
    if isinstance(node, tuple) and node and node[0] in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
        raise Invalid(f"Regex of metric {metric.name} refers back to a group, which is not supported")
    if isinstance(node, tuple | list):
        return sum(_walk(metric, item, inside=inside) for item in node)
    return 0


def _is_wide(body: Any) -> bool:
    names = {str(part) for item in body for part in _flat(item)}
    return bool(names & {"ANY", "NOT_LITERAL", "NEGATE", "CATEGORY_WORD", "CATEGORY_NOT_SPACE", "CATEGORY_NOT_DIGIT"})


def _flat(node: Any) -> list[Any]:
    if isinstance(node, tuple | list | _parser.SubPattern):
        return [part for item in node for part in _flat(item)]
    return [node]


class Scraper:
    """The values found so far: ``last`` holds (value, time) for each metric that was seen."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._expressions = [(metric.name, re.compile(metric.regex)) for metric in metrics]
        self.last: dict[str, tuple[float, float]] = {}

    def scrape(self, line: str, at: float) -> list[tuple[str, float]]:
        """Metrics this line tells, in the order they were defined."""
        found = []
        line = line[:LINE_CHARACTERS_MAX]
        for entry in list(self._expressions):
            name, expression = entry
            began = time.perf_counter()
            match = expression.search(line)
            if time.perf_counter() - began > SEARCH_SECONDS_MAX:
                self._expressions.remove(entry)
            if match is None:
                continue
            try:
                value = float(match.group(1))
            except (TypeError, ValueError, IndexError):
                continue
            if value == value and abs(value) != float("inf"):
                self.last[name] = (value, at)
                found.append((name, value))
        return found
