"""A graph laid out for a picture: steps in ranks, each below all that it waits for, edges between them.

Ranks are the longest ways from a beginning; within a rank steps stand near the middle of what they wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

WIDTH: Final = 190
HEIGHT: Final = 46
GAP_X: Final = 22
GAP_Y: Final = 40
MARGIN: Final = 6
SWEEPS: Final = 4
DRAWN_MAX: Final = 400
"""Steps; beyond that a list tells more than a picture."""
LABEL_CHARACTERS: Final = 24


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
    rows: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name in graph.order:
        rows[ranks[name]].append(name)
    widest = max(map(len, rows))
    places = _places(graph, rows, widest)
    nodes = tuple(
        Node(name, _short(name), graph.step(name).type, round(places[name]), MARGIN + ranks[name] * (HEIGHT + GAP_Y))
        for name in graph.order
    )
    at = {node.name: node for node in nodes}
    edges = tuple(_edge(graph, at, other, node) for node in nodes for other in sorted(graph.waits_for(node.name)))
    width = 2 * MARGIN + widest * (WIDTH + GAP_X) - GAP_X
    return Picture(nodes, edges, width, 2 * MARGIN + len(rows) * (HEIGHT + GAP_Y) - GAP_Y)


def _places(graph: Graph, rows: list[list[str]], widest: int) -> dict[str, float]:
    """Where each step's left edge is."""
    places: dict[str, float] = {}
    for sweep in range(SWEEPS):
        for row in rows:
            if sweep or places:
                row.sort(key=lambda name: _middle(graph.waits_for(name), places))
            begin = MARGIN + (widest - len(row)) * (WIDTH + GAP_X) / 2
            places.update({name: begin + number * (WIDTH + GAP_X) for number, name in enumerate(row)})
    return places


def _middle(others: set[str], places: Mapping[str, float]) -> float:
    return sum(places[other] for other in others) / len(others) if others else 0.0


def _edge(graph: Graph, at: Mapping[str, Node], other: str, node: Node) -> Edge:
    upper = at[other]
    x1, y1, x2, y2 = upper.x + WIDTH // 2, upper.y + HEIGHT, node.x + WIDTH // 2, node.y
    bend = (y2 - y1) // 2
    path = f"M{x1},{y1} C{x1},{y1 + bend} {x2},{y2 - bend} {x2},{y2}"
    branch = next((each for each in graph.step(node.name).branches if each.condition == other), None)
    label = "" if branch is None else "if" if branch.outcome else "else"
    return Edge(path, label, (x1 + x2) // 2 + 4, (y1 + y2) // 2)


def _short(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"
