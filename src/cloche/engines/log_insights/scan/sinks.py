"""Where what has passed a stage's filters goes: groups, rows in an order, the first of each kind, patterns.

Each process has a sink of its own; ``merge`` takes what another's ``dump`` gave. ``rows`` is what there is in the end,
in the order that the next stage sees. A row of events begins with (time, stream, number): the newest is first where
nothing else is asked for (Cloche's choice: AWS promises no order without ``sort``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from cloche.engines.log_insights.language.syntax import Aggregate
from cloche.engines.log_insights.scan.aggregates import AGGREGATES
from cloche.engines.log_insights.scan.code import TIME
from cloche.engines.log_insights.scan.templates import Templates
from cloche.engines.log_insights.scan.values import natural, number, text

Row = tuple[Any, ...]
SLACK: Final = 5_000
"""Rows beyond those to be kept that may gather before they are sorted and cut."""


class Newest:
    """The ``keep`` newest, or all."""

    def __init__(self, keep: int | None) -> None:
        self.keep = keep
        self.held: list[Row] = []
        self.floor = -(2**63)
        """Nothing older will be among them."""

    def tidy(self) -> None:
        if self.keep is not None and len(self.held) > self.keep + SLACK:
            self._cut()
            self.floor = self.held[-1][0]

    def dump(self) -> Any:
        self._cut()
        return self.held

    def merge(self, dumped: Any) -> None:
        self.held += dumped
        self._cut()

    def rows(self) -> list[Row]:
        self._cut()
        return self.held

    def _cut(self) -> None:
        self.held.sort(key=_head, reverse=True)
        if self.keep is not None:
            del self.held[self.keep :]


class Sorted:
    """The ``keep`` first by the keys that stand before each row, each rising or falling; among equals the newest."""

    def __init__(self, keep: int | None, falling: Sequence[bool]) -> None:
        self.keep, self.falling = keep, falling
        self.held: list[Row] = []
        self.worst: Any = None
        """Nothing whose first key comes after it will be among them."""

    def tidy(self) -> None:
        if self.keep is not None and len(self.held) > self.keep + SLACK:
            self._cut()
            self.worst = self.held[-1][0]

    def dump(self) -> Any:
        self._cut()
        return self.held

    def merge(self, dumped: Any) -> None:
        self.held += dumped

    def rows(self) -> list[Row]:
        self._cut()
        return [row[len(self.falling) :] for row in self.held]

    def _cut(self) -> None:
        width = len(self.falling)
        self.held.sort(key=lambda row: row[width : width + 3], reverse=True)
        sort_by_keys(self.held, self.falling)
        if self.keep is not None:
            del self.held[self.keep :]


class Unique:
    """The newest of each key, and everything whose key lacks a part ("events with null values are retained")."""

    def __init__(self, keep: int | None) -> None:
        self.held: dict[Any, Row] = {}
        self.loose = Newest(keep)

    def add(self, key: Row, row: Row) -> None:
        if None in key:
            self.loose.held.append(row)
            return
        known = self.held.get(key)
        if known is None or row[:3] > known[:3]:
            self.held[key] = row

    def tidy(self) -> None:
        self.loose.tidy()

    def dump(self) -> Any:
        return self.held, self.loose.dump()

    def merge(self, dumped: Any) -> None:
        held, loose = dumped
        for key, row in held.items():
            self.add(key, row)
        self.loose.merge(loose)

    def rows(self) -> list[Row]:
        self.loose.held.extend(self.held.values())
        return self.loose.rows()


class Groups:
    """``held``: a list of places for each key."""

    def __init__(self, aggregates: Sequence[Aggregate], kinds: Sequence[str]) -> None:
        self.aggregates, self.kinds = aggregates, kinds
        self.held: dict[Any, list[Any]] = {}
        self._places: list[int] = []
        width = 0
        for aggregate in aggregates:
            self._places.append(width)
            width += AGGREGATES[aggregate.function].width

    def place(self, at: int) -> int:
        return self._places[at]

    def tidy(self) -> None:
        return

    def dump(self) -> Any:
        return self.held

    def merge(self, dumped: Any) -> None:
        for key, places in dumped.items():
            self._join(self.held, key, places)

    def rows(self) -> list[Row]:
        """Times falling, anything else rising. The texts 1 and "1" are one group."""
        united: dict[Row, list[Any]] = {}
        for key, places in self.held.items():
            parts = key if len(self.kinds) > 1 else (key,) if self.kinds else ()
            shown = tuple(
                number(part) if kind == TIME else text(part) for part, kind in zip(parts, self.kinds, strict=True)
            )
            self._join(united, shown, places)
        rows = [(*key, *self._results(places)) for key, places in united.items()]
        rows.sort(key=self._order)
        return rows

    def _join(self, held: dict[Any, list[Any]], key: Any, places: list[Any]) -> None:
        mine = held.get(key)
        if mine is None:
            held[key] = places
            return
        for at, aggregate in zip(self._places, self.aggregates, strict=True):
            AGGREGATES[aggregate.function].merge(mine, places, at)

    def _results(self, places: list[Any]) -> list[Any]:
        return [
            AGGREGATES[each.function].result(places, at, each.parameter)
            for at, each in zip(self._places, self.aggregates, strict=True)
        ]

    def _order(self, row: Row) -> Row:
        return tuple(
            (0, -part) if kind == TIME and part is not None else (1, natural(part))
            for part, kind in zip(row, self.kinds, strict=False)
        )


class Patterns:
    """Templates of texts, and how many texts each has."""

    def __init__(self) -> None:
        self.templates = Templates()

    def tidy(self) -> None:
        return

    def dump(self) -> Any:
        return self.templates.counts

    def merge(self, dumped: Any) -> None:
        self.templates.merge(dumped)

    def rows(self) -> list[Row]:
        return self.templates.rows()


Sink = Newest | Sorted | Unique | Groups | Patterns


def sort_by_keys(rows: list[Row], falling: Sequence[bool]) -> None:
    """By the first ``len(falling)`` columns; rows that are equal in them stay as they are."""
    for at in reversed(range(len(falling))):
        rows.sort(key=_part(at), reverse=falling[at])


def _part(at: int) -> Callable[[Row], Any]:
    return lambda row: row[at]


def _head(row: Row) -> Row:
    return row[:3]
