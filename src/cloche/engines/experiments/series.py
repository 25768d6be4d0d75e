"""Numbers logged to runs, each with its time and, where it was given one, its step.

Points are appended and never changed; each is taken into its metric's summary in the run's record, in the same
transaction. A question walks an index: a metric's points of a component in the order of steps or of time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from cloche.engines.experiments.summaries import Summary, deviation, metrics_in, taken_in
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

NAMES_MAX: Final = 1_000
"""Distinct metrics of one component: its record holds a summary of each."""

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "experiments-2",
        """
        CREATE TABLE run_points (
            component TEXT NOT NULL,
            name TEXT NOT NULL,
            at REAL NOT NULL,
            step INTEGER,
            value REAL NOT NULL
        ) STRICT;
        CREATE INDEX run_points_by_time ON run_points (component, name, at, value);
        CREATE INDEX run_points_by_step ON run_points (component, name, step, value) WHERE step IS NOT NULL;
        """,
    ),
    # Whatever removes a component or a trial, one made anew under its name begins with nothing.
    (
        "experiments-3",
        """
        CREATE TRIGGER runs_removed AFTER DELETE ON records WHEN OLD.kind LIKE 'sagemaker/Trial%'
            BEGIN DELETE FROM run_points WHERE component = OLD.arn; DELETE FROM trial_members
            WHERE component = OLD.arn; DELETE FROM trial_members WHERE trial = OLD.arn; END
        """,
    ),
]


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    at: float
    """Seconds since 1970."""
    value: float
    step: int | None = None


def append(tx: sqlite3.Connection, record: Record, points: Iterable[Point]) -> list[int]:
    """Keep points of the component ``record``, and their summaries in its state. The places, in ``points``, of those
    that were not kept because the component has as many metrics as it may have."""
    metrics = dict(metrics_in(record.state))
    left_out: list[int] = []
    for place, point in enumerate(points):
        held = metrics.get(point.name)
        if held is None and len(metrics) >= NAMES_MAX:
            left_out.append(place)
            continue
        metrics[point.name] = taken_in(held, point.value, point.at)
        tx.execute(
            "INSERT INTO run_points VALUES (?, ?, ?, ?, ?)", (record.arn, point.name, point.at, point.step, point.value)
        )
    records.set_status(tx, record.arn, state={**record.state, "metrics": metrics})
    return left_out


def remove_all(tx: sqlite3.Connection, component: str) -> None:
    tx.execute("DELETE FROM run_points WHERE component = ?", (component,))


STATISTICS: Final[dict[str, Callable[[Summary], float]]] = {
    "Min": lambda held: held["min"],
    "Max": lambda held: held["max"],
    "Avg": lambda held: held["mean"],
    "Count": lambda held: float(held["count"]),
    "StdDev": deviation,
    "Last": lambda held: held["last"],
}


def read_series(
    connection: sqlite3.Connection,
    component: str,
    name: str,
    *,
    statistic: str,
    period_seconds: int | None,
    start: float | None,
    end: float | None,
) -> Iterator[tuple[int, float]]:
    """(place, value) of each group of points, in order.

    With ``period_seconds`` a group is a stretch of time, its place the second at which it begins; without, it is a
    step. ``start`` and ``end`` are seconds or steps, both included.
    """
    order = "at" if period_seconds else "step"
    conditions = ["component = ?", "name = ?", f"{order} IS NOT NULL"]
    arguments: list[float | str] = [component, name]
    for bound, condition in ((start, f"{order} >= ?"), (end, f"{order} <= ?")):
        if bound is not None:
            conditions.append(condition)
            arguments.append(bound)
    rows = connection.execute(
        f"SELECT {order}, value, at FROM run_points WHERE {' AND '.join(conditions)} ORDER BY {order}, at, rowid",  # noqa: S608
        arguments,
    )
    width = period_seconds or 1
    for place, group in groupby(rows, key=lambda row: int(row[0] // width * width)):
        whole: Summary | None = None
        for _, value, at in group:
            whole = taken_in(whole, value, at)
        assert whole is not None
        yield place, STATISTICS[statistic](whole)
