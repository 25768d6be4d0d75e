"""A graph laid out for a picture: steps in ranks, each below all that it waits for, edges between them.

Ranks are the longest ways from a beginning; within a rank steps stand near the middle of what they wait for, and of
what waits for them. A line that passes a rank has a lane there, between the steps: no line runs behind a step that it
has nothing to do with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

WIDTH: Final = 216
HEIGHT: Final = 46
LANE: Final = 8
GAP_X: Final = 22
GAP_Y: Final = 40
MARGIN: Final = 6
SWEEPS: Final = 4
DRAWN_MAX: Final = 400
"""Steps; beyond that a list tells more than a picture."""
BENDS_MAX: Final = 5_000
"""Of all lines together, one for each rank that a line comes to."""
LABEL_CHARACTERS: Final = 26

Place = str | tuple[str, int]
"""A step's name; or the lane that lines of that step have in the rank of that number."""


class Graph(Protocol):
    """A pipeline's, or anything else in which things stand below others."""

    @property
    def order(self) -> tuple[str, ...]:
        """Each after all that it waits for."""

    def waits_for(self, name: str) -> set[str]: ...

    def step(self, name: str) -> Any:
        """``type`` and ``branches`` are asked of it."""


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    label: str
    type: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Edge:
    path: str
    label: str
    """``if`` and ``else`` of a branch; empty otherwise."""
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Picture:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


def ranks_of(graph: Graph) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for name in graph.order:
        ranks[name] = 1 + max((ranks[other] for other in graph.waits_for(name)), default=-1)
    return ranks


def picture_of(graph: Graph) -> Picture | None:
    """``None`` for a graph that is too large to be looked at."""
    if len(graph.order) > DRAWN_MAX:
        return None
    ranks = ranks_of(graph)
    if sum(ranks[name] - ranks[other] for name in graph.order for other in graph.waits_for(name)) > BENDS_MAX:
        return None
    above = _hangs_on(graph, ranks)
    rows: list[list[Place]] = [[] for _ in range(max(ranks.values()) + 1)]
    for place in above:
        rows[ranks[place] if isinstance(place, str) else place[1]].append(place)
    at = _straightened(rows, above, _left_edges(rows, above))
    right = max(at[row[-1]] + _width(row[-1]) for row in rows)
    nodes = tuple(
        Node(name, _short(name), graph.step(name).type, round(at[name]), _top(ranks[name])) for name in graph.order
    )
    edges = tuple(
        _edge(graph, ranks, at, other, name) for name in graph.order for other in sorted(graph.waits_for(name))
    )
    return Picture(nodes, edges, round(right) + MARGIN, _top(len(rows)) - GAP_Y + MARGIN)


def _hangs_on(graph: Graph, ranks: Mapping[str, int]) -> dict[Place, set[Place]]:
    """Every place, and those one rank above it that lines come from. Lines of one step share their lane."""
    above: dict[Place, set[Place]] = {}
    for name in graph.order:
        above[name] = {_before(ranks, other, ranks[name]) for other in graph.waits_for(name)}
        for other in sorted(graph.waits_for(name)):
            for rank in range(ranks[other] + 1, ranks[name]):
                above[(other, rank)] = {_before(ranks, other, rank)}
    return above


def _before(ranks: Mapping[str, int], source: str, rank: int) -> Place:
    """Where a line from ``source`` is one rank above ``rank``."""
    return source if ranks[source] == rank - 1 else (source, rank - 1)


def _left_edges(rows: list[list[Place]], above: Mapping[Place, set[Place]]) -> dict[Place, float]:
    """Rows stand in the middle, sorted by the middle of what they hang on and of what hangs on them, in turn."""
    below: dict[Place, set[Place]] = {place: set() for place in above}
    for place, others in above.items():
        for other in others:
            below[other].add(place)
    at: dict[Place, float] = {}
    for sweep in range(SWEEPS):
        is_upward = sweep % 2 == 1
        for row in reversed(rows) if is_upward else rows:
            if at:
                beside = below if is_upward else above
                row.sort(key=lambda place: _middle(place, beside[place], at))
            left = -(sum(_width(place) + GAP_X for place in row) - GAP_X) / 2
            for place in row:
                at[place] = left
                left += _width(place) + GAP_X
    return at


def _straightened(
    rows: list[list[Place]], above: Mapping[Place, set[Place]], at: dict[Place, float]
) -> dict[Place, float]:
    """Each row moved as a whole, so that on average its steps stand right below those they wait for: a chain is
    straight, whatever lanes run beside it. Then all of it, to where the picture begins."""
    for row in rows[1:]:
        away = []
        for place in row:
            steps: set[Place] = {other for other in above[place] if isinstance(other, str)}
            if isinstance(place, str) and steps:
                away.append(_middle(place, steps, at) - at[place] - _width(place) / 2)
        for place in row if away else ():
            at[place] += sum(away) / len(away)
    begin = min(at[row[0]] for row in rows)
    return {place: left - begin + MARGIN for place, left in at.items()}


def _middle(place: Place, others: set[Place], at: Mapping[Place, float]) -> float:
    known = [other for other in others if other in at] or [place]
    return sum(at.get(other, 0.0) + _width(other) / 2 for other in known) / len(known)


def _width(place: Place) -> int:
    return WIDTH if isinstance(place, str) else LANE


def _top(rank: int) -> int:
    return MARGIN + rank * (HEIGHT + GAP_Y)


def _edge(graph: Graph, ranks: Mapping[str, int], at: Mapping[Place, float], other: str, name: str) -> Edge:
    """Bends lie between the ranks; past a rank the line is straight, in its lane."""
    first, last = ranks[other], ranks[name]
    x1, y1 = round(at[other]) + WIDTH // 2, _top(first) + HEIGHT
    path = f"M{x1},{y1}"
    for rank in range(first + 1, last + 1):
        place: Place = name if rank == last else (other, rank)
        x2, y2 = round(at[place]) + _width(place) // 2, _top(rank)
        path += f" C{x1},{y1 + GAP_Y // 2} {x2},{y2 - GAP_Y // 2} {x2},{y2}"
        middle = (x1 + x2) // 2 + 4, (y1 + y2) // 2
        x1, y1 = x2, y2 + HEIGHT
        if rank < last:
            path += f" V{y1}"
    branch = next((each for each in graph.step(name).branches if each.condition == other), None)
    label = "" if branch is None else "if" if branch.outcome else "else"
    return Edge(path, label, *middle)


def _short(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"
