"""A decision tree for classes, grown by Gini impurity: the standard library is enough for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

Row = list[float]


def grow(rows: list[Row], labels: list[str], depth: int) -> Any:
    """A label, or ``[column, threshold, where below, where not]``."""
    most = Counter(labels).most_common(1)[0][0]
    cut = None if depth == 0 or len(set(labels)) == 1 else best_cut(rows, labels)
    if cut is None:
        return most
    column, threshold = cut
    below = [row[column] < threshold for row in rows]
    halves = []
    for wanted in (True, False):
        chosen = [number for number, is_below in enumerate(below) if is_below is wanted]
        halves.append(grow([rows[n] for n in chosen], [labels[n] for n in chosen], depth - 1))
    return [column, threshold, *halves]


def best_cut(rows: list[Row], labels: list[str]) -> tuple[int, float] | None:
    best, found = gini(Counter(labels), len(labels)), None
    for column in range(len(rows[0])):
        order = sorted(range(len(rows)), key=lambda number: rows[number][column])
        left: Counter[str] = Counter()
        right = Counter(labels)
        for place, number in enumerate(order[:-1], 1):
            left[labels[number]] += 1
            right[labels[number]] -= 1
            here, there = rows[number][column], rows[order[place]][column]
            if here == there:
                continue
            rest = len(order) - place
            impurity = (place * gini(left, place) + rest * gini(right, rest)) / len(order)
            if impurity < best - 1e-12:
                best, found = impurity, (column, (here + there) / 2)
    return found


def gini(counts: Counter[str], total: int) -> float:
    return 1 - sum((count / total) ** 2 for count in counts.values())


def predict(tree: Any, row: Row) -> str:
    while isinstance(tree, list):
        column, threshold, below, above = tree
        tree = below if row[column] < threshold else above
    return str(tree)
