"""What scaling has done, the newest first; and, if asked for, what it has left undone and why."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from cloche.aws.operation import Context, Members, operation
from cloche.engines.autoscaling.dimensions import NAMESPACE
from cloche.engines.autoscaling.schema import HISTORY_SECONDS
from cloche.foundation.clock import from_epoch
from cloche.services.application_autoscaling.listing import answer, page, resources_of
from cloche.storage.metadata.keyset import Walk


@operation("DescribeScalingActivities", reads=True)
def describe_scaling_activities(ctx: Context, request: Members) -> Members:
    resources, dimension = resources_of(request), request.get("ScalableDimension")
    if request["ServiceNamespace"] != NAMESPACE:
        return {"ScalingActivities": []}
    conditions, arguments = ["account = ?", "region = ?", "at >= ?"], [ctx.account, ctx.region]
    asked: list[Any] = []
    for column, value in (("resource_id", next(iter(resources), None)), ("dimension", dimension)):
        if value:
            conditions.append(f"{column} = ?")
            asked.append(value)
    if not request.get("IncludeNotScaledActivities"):
        conditions.append("not_scaled IS NULL")
    walk = Walk(
        "scaling_activities",
        ("sequence",),
        descending=True,
        conditions=tuple(conditions),
        arguments=(*arguments, ctx.now.timestamp() - HISTORY_SECONDS, *asked),
    )
    rows, token = page(ctx, request, walk, ["activities", *arguments, *asked, conditions])
    return answer("ScalingActivities", [_shown(row) for row in rows], token)


def _shown(row: sqlite3.Row) -> Members:
    shown: Members = {
        "ActivityId": row["id"],
        "ServiceNamespace": NAMESPACE,
        "ResourceId": row["resource_id"],
        "ScalableDimension": row["dimension"],
        "Description": row["description"],
        "Cause": row["cause"],
        "StartTime": from_epoch(row["at"]),
        "StatusCode": row["status"],
    }
    if row["ended_at"] is not None:
        shown["EndTime"] = from_epoch(row["ended_at"])
    if row["message"]:
        shown["StatusMessage"] = row["message"]
    if row["not_scaled"]:
        shown["NotScaledReasons"] = [orjson.loads(row["not_scaled"])]
    return shown
