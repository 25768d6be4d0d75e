"""BatchPutMetrics: up to ten numbers for one trial component, durable when answered.

What is wrong with one of them is told by its place; the others are kept.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.experiments import Point, series
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

COMPONENT: Final = "sagemaker/TrialComponent"
# "Timestamps must be between two weeks before and two hours from now" (sagemaker.experiments._metrics of SDK v2)
PAST_SECONDS_MAX: Final = 14 * 24 * 3600
FUTURE_SECONDS_MAX: Final = 2 * 3600


@operation("BatchPutMetrics")
def batch_put_metrics(ctx: Context, request: Members) -> Members:
    now = ctx.now.timestamp()
    errors: list[Members] = []
    good: list[tuple[int, Point]] = []
    for place, member in enumerate(request["MetricData"]):
        point = Point(member["MetricName"], member["Timestamp"].timestamp(), member["Value"], member.get("Step"))
        if _is_sound(point, now):
            good.append((place, point))
        else:
            errors.append({"Code": "VALIDATION_ERROR", "MetricIndex": place})

    def change(tx: sqlite3.Connection) -> list[int]:
        record = find_component(tx, ctx.account, ctx.region, request["TrialComponentName"])
        return series.append(tx, record, [point for _, point in good])

    for left_out in ctx.parts.database.write(change):
        errors.append({"Code": "METRIC_LIMIT_EXCEEDED", "MetricIndex": good[left_out][0]})
    return {"Errors": errors or None}


def _is_sound(point: Point, now: float) -> bool:
    return math.isfinite(point.value) and now - PAST_SECONDS_MAX <= point.at <= now + FUTURE_SECONDS_MAX


def find_component(connection: sqlite3.Connection, account: str, region: str, name: str) -> Record:
    """The component of that name, which clients must send in small letters, however it was created."""
    record = records.find(connection, account, region, COMPONENT, name)
    if record is None:
        row = connection.execute(
            "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ? AND name = ? COLLATE NOCASE",
            (account, region, COMPONENT, name),
        ).fetchone()
        record = None if row is None else records.from_row(row)
    if record is None:
        raise NotFound(f"TrialComponent '{name}' does not exist.")
    return record
