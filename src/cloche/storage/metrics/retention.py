"""How long points are kept, and how finely.

As CloudWatch does (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html, "Metrics
retention"): under a minute for 3 hours, a minute for 15 days, five minutes for 63 days, an hour for 455 days. A
point that outlives its fineness is added to its neighbours, nothing of the sums is lost.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.storage.metrics.points import from_row, insert_point
from cloche.storage.metrics.statistics import Statistics

HOUR: Final = 3600
DAY: Final = 24 * HOUR
# (finer than this many seconds, older than this many seconds) → this many seconds
PLAN: Final = ((60, 3 * HOUR, 60), (300, 15 * DAY, 300), (3600, 63 * DAY, 3600))
KEPT_SECONDS: Final = 455 * DAY
ROWS_PER_STEP: Final = 5_000


def finest_period(age_seconds: float) -> int:
    """The finest period in which a point of that age is told; 0: in none. Coarser ones must be multiples of it, "or no
    data points in that time range is returned"
    (docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html, Period)."""
    if age_seconds > KEPT_SECONDS:
        return 0
    return next((period for _, age, period in reversed(PLAN) if age_seconds > age), 1)


def expire(tx: sqlite3.Connection, now: float) -> int:
    """One bounded step of rolling up and removing; answers how many rows it dealt with (0: nothing is left)."""
    done = tx.execute("DELETE FROM metric_points WHERE at < ?", (now - KEPT_SECONDS,)).rowcount
    tx.execute("DELETE FROM metrics WHERE last_at < ?", (now - KEPT_SECONDS,))
    tx.execute("DELETE FROM metric_puts WHERE at < ?", (now - KEPT_SECONDS,))
    for finer_than, age, period in PLAN:
        # Whole periods only: what is newer than the last full one stays for the next step.
        limit = int((now - age) // period * period)
        rows = tx.execute(
            "SELECT rowid, * FROM metric_points WHERE period < ? AND at < ? ORDER BY metric_id, at LIMIT ?",
            (finer_than, limit, ROWS_PER_STEP),
        ).fetchall()
        _roll_up(tx, rows, period)
        done += len(rows)
    return done


def _roll_up(tx: sqlite3.Connection, rows: list[sqlite3.Row], period: int) -> None:
    buckets: dict[tuple[int, int, str], Statistics] = {}
    for row in rows:
        key = (row["metric_id"], row["at"] // period * period, row["unit"])
        buckets.setdefault(key, Statistics()).add(from_row(row))
    for (series, at, unit), held in buckets.items():
        insert_point(tx, series, at, period, unit, held)
    tx.executemany("DELETE FROM metric_points WHERE rowid = ?", [(row["rowid"],) for row in rows])
