"""Questions of the graph: what lies above or below a vertex, how deep, and on which paths.

A walk goes level by level, one look-up in an index per level, so its cost is that of what it finds. "Both" is what
lies above together with what lies below: a path never turns back, or everything that shares an image would be kin.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Final

from cloche.engines.lineage.edges import Edge, at_ends
from cloche.foundation.errors import LimitReached

REACHED_MAX: Final = 50_000
"""Vertices that one question may come upon."""


@dataclass(slots=True)
class Walk:
    """What one direction came upon."""

    depth: dict[str, int] = field(default_factory=dict)
    """ARN → associations from the start, which is in it with 0."""
    edges: list[Edge] = field(default_factory=list)
    """Those walked along, nearest first."""


def walk(connection: sqlite3.Connection, start: str, *, upwards: bool, depth_max: int) -> Walk:
    found = Walk({start: 0})
    level = [start]
    for depth in range(1, depth_max + 1):
        further: list[str] = []
        for edge in at_ends(connection, level, upwards=upwards):
            found.edges.append(edge)
            arn = edge.source if upwards else edge.destination
            if arn not in found.depth:
                found.depth[arn] = depth
                further.append(arn)
        if len(found.depth) > REACHED_MAX:
            raise LimitReached(f"more than {REACHED_MAX} entities are related to {start}: ask with a smaller MaxDepth")
        if not further:
            break
        level = further
    return found


def on_paths(found: Walk, wanted: set[str], *, upwards: bool) -> tuple[set[str], list[Edge]]:
    """The vertices and edges of ``found`` that lie between its start and any of ``wanted``."""
    leading: dict[str, list[Edge]] = {}
    for edge in found.edges:
        leading.setdefault(edge.source if upwards else edge.destination, []).append(edge)
    kept, rest = set(wanted), list(wanted)
    edges: list[Edge] = []
    while rest:
        for edge in leading.get(rest.pop(), ()):
            edges.append(edge)
            near = edge.destination if upwards else edge.source
            if near not in kept:
                kept.add(near)
                rest.append(near)
    return kept, edges
