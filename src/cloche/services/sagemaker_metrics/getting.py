"""BatchGetMetrics: series of what was put, by step or by time, up to a hundred in one request.

Times, in ``Start``, ``End`` and ``XAxisValues``, are seconds since 1970. A query that cannot be answered says so in
its own result.
"""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.experiments import series
from cloche.storage.metadata import records

PERIOD_SECONDS: Final = {"OneMinute": 60, "FiveMinute": 300, "OneHour": 3600, "IterationNumber": None}
ANSWERED_MAX: Final = 10_000
"""Points of one series in an answer; beyond it the answer is ``Truncated``."""
_COMPONENT: Final = ":experiment-trial-component/"


@operation("BatchGetMetrics", reads=True)
def batch_get_metrics(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    return {"MetricQueryResults": [_answered(ctx, reader, query) for query in request["MetricQueries"]]}


def _answered(ctx: Context, reader: sqlite3.Connection, query: Members) -> Members:
    arn = query["ResourceArn"]
    by_step = query["Period"] == "IterationNumber"
    if by_step != (query["XAxisType"] == "IterationNumber"):
        return _refused("Period and XAxisType must both be IterationNumber, or neither")
    if arn.split(":")[3:5] != [ctx.region, ctx.account]:
        return _refused(f"{arn} is not a resource of this account and region")
    component = _component(reader, arn)
    if component is None:
        return _refused(f"{arn} does not exist, or no trial component tracks it")
    found = series.read_series(
        reader,
        component,
        query["MetricName"],
        statistic=query["MetricStat"],
        period_seconds=PERIOD_SECONDS[query["Period"]],
        start=query.get("Start"),
        end=query.get("End"),
    )
    points = list(islice(found, ANSWERED_MAX + 1))
    return {
        "Status": "Truncated" if len(points) > ANSWERED_MAX else "Complete",
        "XAxisValues": [place for place, _ in points[:ANSWERED_MAX]],
        "MetricValues": [value for _, value in points[:ANSWERED_MAX]],
    }


def _component(reader: sqlite3.Connection, arn: str) -> str | None:
    """The trial component that is meant: itself, or that of the job."""
    if _COMPONENT in arn:
        return arn if records.find_arn(reader, arn) is not None else None
    row = reader.execute(
        "SELECT arn FROM records WHERE kind = 'sagemaker/TrialComponent'"
        " AND lower(json_extract(state, '$.source.SourceArn')) = lower(?)",
        (arn,),
    ).fetchone()
    return None if row is None else str(row[0])


def _refused(message: str) -> Members:
    return {"Status": "ValidationError", "Message": message, "XAxisValues": [], "MetricValues": []}
