"""DescribeAlarmHistory: what was done to alarms, what states they went through, and what they did."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.alarms import rows
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.storage.metadata import records

PAGE: Final = 100
_ASKED: Final = ("AlarmName", "AlarmTypes", "HistoryItemType", "StartDate", "EndDate", "ScanBy", "AlarmContributorId")


@operation("DescribeAlarmHistory", reads=True)
def describe_alarm_history(ctx: Context, request: Members) -> Members:
    """The newest first; of metric alarms, unless other types are asked for. Alarms that are gone have theirs still."""
    reader = ctx.parts.database.reader
    question: list[Any] = ["DescribeAlarmHistory", ctx.account, ctx.region]
    question.append({name: str(request[name]) for name in _ASKED if name in request})
    secret = records.page_secret(reader)
    size = request.get("MaxRecords") or PAGE
    start, end = request.get("StartDate"), request.get("EndDate")
    found = rows.read_history(
        reader,
        ctx.account,
        ctx.region,
        name=request.get("AlarmName"),
        types=request.get("AlarmTypes") or ["MetricAlarm"],
        item=request.get("HistoryItemType"),
        start=None if start is None else start.timestamp(),
        end=None if end is None else end.timestamp(),
        ascending=request.get("ScanBy") == "TimestampAscending",
        after=_after(secret, question, request.get("NextToken")),
        limit=size + 1,
    )
    answer: Members = {"AlarmHistoryItems": [_shown(item) for item in found[:size]]}
    if len(found) > size:
        answer["NextToken"] = tokens.seal(secret, question, (found[size - 1].at, found[size - 1].id))
    return answer


def _shown(item: rows.Item) -> Members:
    return {
        "AlarmName": item.name,
        "AlarmType": item.type,
        "Timestamp": from_epoch(item.at),
        "HistoryItemType": item.item,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def _after(secret: bytes, question: list[Any], token: str | None) -> tuple[float, int] | None:
    if not token:
        return None
    try:
        at, id = tokens.unseal(secret, question, token)
    except Invalid as error:
        raise AwsError("InvalidNextToken", error.message) from None
    return at, id
