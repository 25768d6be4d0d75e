"""Events: put, get, filter.

``GetLogEvents`` answers two tokens with every page: ``f/…`` goes on forwards, ``b/…`` backwards. A read that
finds nothing answers the token it was given, and that is how clients know the end ("If you have reached the end
of the stream, it returns the same token you passed in", API reference). The tokens are places in the stream and
stay good for ever. Whoever follows with forward tokens sees every event, also one that comes late with a timestamp
that has been passed (``storage/logs/order``).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.filter_patterns import compile_pattern
from cloche.foundation.errors import Invalid
from cloche.services.logs.log_group import require_class
from cloche.services.logs.naming import group_named
from cloche.storage.logs import END, Boundary, Place, Question, Sieve, event_id
from cloche.storage.metadata import records

# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
BATCH_BYTES_MAX: Final = 1_048_576
EVENT_OVERHEAD_BYTES: Final = 26
DAY_MS: Final = 24 * 3600 * 1000
FUTURE_MS_MAX: Final = 2 * 3600 * 1000
PAST_MS_MAX: Final = 14 * DAY_MS
PAGE_DEFAULT: Final = 10_000

# "Setting startFromHead to false is supported only when startTime is on or after Jan 1, 2024", API_FilterLogEvents.html
NEWEST_FIRST_SINCE_MS: Final = 1_704_067_200_000

_FORWARD: Final = re.compile(r"f/(\d{1,19})\.(\d{1,19})\.(\d{1,19})\.(\d{1,19})")
_BACKWARD: Final = re.compile(r"b/(\d{1,19})\.(\d{1,19})")


@operation("PutLogEvents")
def put_log_events(ctx: Context, request: Members) -> Members:
    """Sequence tokens are ignored, as AWS has done since 2023; events too old or too new are left out and told."""
    group, stream = request["logGroupName"], request["logStreamName"]
    events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
    size = sum(len(message.encode()) + EVENT_OVERHEAD_BYTES for _, message in events)
    if size > BATCH_BYTES_MAX:
        raise Invalid(f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}", field="logEvents")
    if any(later[0] < earlier[0] for earlier, later in pairwise(events)):
        # dibog/cloudwatch-logback-appender#17
        raise Invalid("Log events in a single PutLogEvents request must be in chronological order.")
    found = ctx.parts.logs.group(ctx.account, ctx.region, group)
    ctx.parts.logs.stream(ctx.account, ctx.region, group, stream)
    accepted, rejected = _accepted(events, int(ctx.now.timestamp() * 1000), found.retention_days)
    if accepted and accepted[-1][0] - accepted[0][0] > DAY_MS:
        raise Invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    ctx.parts.logs.append(ctx.account, ctx.region, group, stream, accepted)
    return {"rejectedLogEventsInfo": rejected} if rejected else {}


@operation("GetLogEvents", reads=True)
def get_log_events(ctx: Context, request: Members) -> Members:
    at: Boundary | Place | None = None
    forwards = bool(request.get("startFromHead", False))
    if token := request.get("nextToken"):
        at, forwards = _place(token)
    group = group_named(ctx, request)
    require_class(ctx, group, "GetLogEvents")
    page = ctx.parts.logs.read(
        ctx.account,
        ctx.region,
        group,
        request["logStreamName"],
        start_ms=request.get("startTime", 0),
        end_ms=request.get("endTime"),
        at=at,
        from_head=forwards,
        limit=request.get("limit", PAGE_DEFAULT),
    )
    return {
        "events": [
            {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingested_ms}
            for event in page.events
        ],
        "nextForwardToken": _token("f", page.last),
        "nextBackwardToken": _token("b", page.first),
    }


@operation("FilterLogEvents", reads=True)
def filter_log_events(ctx: Context, request: Members) -> Members:
    """Matching events of a group's streams in the order of time, always interleaved (as AWS's are since 2019). A page
    may be empty and have a token, when much was searched for it."""
    group = group_named(ctx, request)
    require_class(ctx, group, "FilterLogEvents")
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix", "")
    if names and prefix:
        raise Invalid("logStreamNames and logStreamNamePrefix cannot be given together", field="logStreamNames")
    pattern = compile_pattern(request.get("filterPattern", ""))
    start, end = request.get("startTime", 0), request.get("endTime")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["FilterLogEvents", ctx.account, ctx.region, group, names, prefix]
    question += [request.get("filterPattern", ""), start, end]
    newest_first, at = request.get("startFromHead") is False, None
    if token := request.get("nextToken"):
        newest_first, *position = tokens.unseal(secret, question, token)
        at = (position[0], position[1], position[2])
    if newest_first and start < NEWEST_FIRST_SINCE_MS:
        raise Invalid("startFromHead=false needs a startTime on or after January 1, 2024.", field="startFromHead")
    page = ctx.parts.logs.find(
        ctx.account,
        ctx.region,
        group,
        # "Events with a timestamp later than this time are not returned": the end is part of the range here
        Question(
            pattern.matches,
            Sieve(pattern.screen, pattern.needle),
            start,
            END[0] if end is None else end + 1,
            newest_first,
        ),
        streams=names,
        prefix=prefix,
        at=at,
        limit=request.get("limit", PAGE_DEFAULT),
    )
    answer: Members = {
        "events": [
            {
                "logStreamName": stream.name,
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
                "eventId": event_id(stream.id, event.ordinal),
            }
            for stream, event in page.events
        ],
        # Empty since June 2020, by the API's own reference.
        "searchedLogStreams": [],
    }
    if page.next is not None:
        answer["nextToken"] = tokens.seal(secret, question, (newest_first, *page.next))
    return answer


def _accepted(
    events: list[tuple[int, str]], now_ms: int, retention_days: int | None
) -> tuple[list[tuple[int, str]], Members]:
    """The events to keep, and AWS's account of the others (indexes into the batch, which is in order)."""
    too_old = sum(1 for timestamp, _ in events if timestamp < now_ms - PAST_MS_MAX)
    horizon = 0 if retention_days is None else now_ms - retention_days * DAY_MS
    expired = sum(1 for timestamp, _ in events if timestamp < horizon)
    too_new = sum(1 for timestamp, _ in events if timestamp > now_ms + FUTURE_MS_MAX)
    rejected: Members = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(events) - too_new
    return events[max(too_old, expired) : len(events) - too_new], rejected


def _token(direction: str, place: Boundary | Place) -> str:
    return f"{direction}/{'.'.join(map(str, place))}"


def _place(token: str) -> tuple[Boundary | Place, bool]:
    if found := _FORWARD.fullmatch(token):
        since, until, at, ordinal = map(int, found.groups())
        return (since, until, at, ordinal), True
    if found := _BACKWARD.fullmatch(token):
        return (int(found[1]), int(found[2])), False
    raise Invalid("The specified nextToken is invalid.", field="nextToken")
