"""One event with all its fields, by the ``@ptr`` of a query's result; and which fields a group's events have."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.log_insights.fields import json_fields
from cloche.foundation.errors import Invalid
from cloche.services.logs.naming import group_named
from cloche.storage.logs import Question

EVENTS_MAX: Final = 1_000
"""The newest so many are looked at. (AWS looks at some, too, and does not say how many.)"""
FIELDS_MAX: Final = 1_000
SYSTEM: Final = ("@timestamp", "@message", "@logStream", "@log", "@ingestionTime")
# botocore's documentation of GetLogGroupFields: 8 minutes before and after ``time``, or the last 15 minutes
AROUND_MS: Final = 8 * 60 * 1000
RECENT_MS: Final = 15 * 60 * 1000
_POINTER: Final = re.compile(r"(\d{1,18}):(\d{1,18})")


@operation("GetLogRecord", reads=True)
def get_log_record(ctx: Context, request: Members) -> Members:
    """Nothing is masked, so ``unmask`` has nothing to do."""
    pointer = request["logRecordPointer"]
    number, ordinal = _place(pointer)
    group, stream, event = ctx.parts.logs.event(ctx.account, ctx.region, number, ordinal)
    return {
        "logRecord": {
            **json_fields(event.message),
            "@ingestionTime": str(event.ingested_ms),
            "@log": f"{ctx.account}:{group.name}",
            "@logStream": stream.name,
            "@message": event.message,
            "@ptr": pointer,
            "@timestamp": str(event.timestamp_ms),
        }
    }


@operation("GetLogGroupFields", reads=True)
def get_log_group_fields(ctx: Context, request: Members) -> Members:
    """The most frequent first."""
    group = group_named(ctx, request)
    now_ms = int(ctx.now.timestamp() * 1000)
    if "time" in request:
        start, end = request["time"] * 1000 - AROUND_MS, request["time"] * 1000 + AROUND_MS
    else:
        start, end = now_ms - RECENT_MS, now_ms
    question = Question(lambda _: True, start_ms=max(0, start), end_ms=end + 1, newest_first=True)
    page = ctx.parts.logs.find(ctx.account, ctx.region, group, question, limit=EVENTS_MAX)
    counted: Counter[str] = Counter()
    for _, event in page.events:
        counted.update(SYSTEM)
        counted.update(json_fields(event.message).keys())
    found = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:FIELDS_MAX]
    return {"logGroupFields": [{"name": name, "percent": count * 100 // len(page.events)} for name, count in found]}


def _place(pointer: str) -> tuple[int, int]:
    try:
        found = _POINTER.fullmatch(base64.urlsafe_b64decode(pointer).decode())
    except (binascii.Error, UnicodeError):
        found = None
    if found is None:
        raise Invalid("The log record pointer is not valid.", field="logRecordPointer")
    return int(found[1]), int(found[2])
