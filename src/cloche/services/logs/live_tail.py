"""StartLiveTail: new events of log groups as a stream of events, a message every second.

The limits are the API's own (docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html):
500 events a message, sampled from more; three hours a session. Fifteen sessions at a time
(docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html). A session ends when its client goes away
and when the server stops.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.filter_patterns import compile_pattern
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.services.logs.log_group import require_class
from cloche.services.logs.naming import group_arn, group_in_arn
from cloche.storage.logs import LogEvent, LogStream

EVENTS_MAX: Final = 500
SESSION_SECONDS_MAX: Final = 3 * 3600
SESSIONS_MAX: Final = 15
EVERY_SECONDS: Final = 1.0

_sessions: Counter[str] = Counter()
"""Open ones by account. Touched on the event loop only."""


@dataclass(slots=True)
class _Tail:
    """What a session listens to, and what it has told of each group's streams."""

    ctx: Context
    groups: dict[str, dict[int, int]]
    names: frozenset[str]
    prefixes: tuple[str, ...]
    matches: Callable[[str], bool]
    since_ms: int

    def new(self) -> list[Members]:
        """Blocks on files."""
        told: list[Members] = []
        for group, seen in self.groups.items():
            logs = self.ctx.parts.logs
            try:
                found = logs.taken_in(self.ctx.account, self.ctx.region, group, self.since_ms, seen)
            except NotFound:  # deleted meanwhile
                continue
            arn = group_arn(self.ctx, group)
            told += [_shown(arn, stream, event) for stream, event in found if self._wants(stream, event)]
        return told

    def _wants(self, stream: LogStream, event: LogEvent) -> bool:
        if self.names and stream.name not in self.names:
            return False
        if self.prefixes and not stream.name.startswith(self.prefixes):
            return False
        return self.matches(event.message)


@operation("StartLiveTail", reads=True)
async def start_live_tail(ctx: Context, request: Members) -> Members:
    tail = await asyncio.to_thread(_tail, ctx, request)
    if _sessions[ctx.account] >= SESSIONS_MAX:
        raise LimitReached(f"There may be at most {SESSIONS_MAX} live tail sessions at a time.")
    asked = ("logGroupIdentifiers", "logStreamNames", "logStreamNamePrefixes", "logEventFilterPattern")
    start = {name: request[name] for name in asked if name in request}
    start |= {"requestId": ctx.request_id, "sessionId": str(uuid.uuid4())}
    return {"responseStream": _session(tail, start)}


def _tail(ctx: Context, request: Members) -> _Tail:
    names, prefixes = request.get("logStreamNames") or [], request.get("logStreamNamePrefixes") or []
    arns: list[str] = request["logGroupIdentifiers"]
    if names and prefixes:
        raise Invalid("logStreamNames and logStreamNamePrefixes cannot be given together.", field="logStreamNames")
    if (names or prefixes) and len(arns) > 1:
        # "If you specify multiple log groups … you can't specify logStreamNames": API reference
        raise Invalid("Log streams can be chosen for a single log group only.", field="logGroupIdentifiers")
    groups: dict[str, dict[int, int]] = {}
    for arn in arns:
        if not arn.startswith("arn:"):
            raise Invalid(f"{arn} is not the ARN of a log group", field="logGroupIdentifiers")
        group = group_in_arn(ctx, arn)
        require_class(ctx, group, "StartLiveTail")
        groups[group] = {}
    pattern = compile_pattern(request.get("logEventFilterPattern", ""))
    since = int(ctx.now.timestamp() * 1000)
    return _Tail(ctx, groups, frozenset(names), tuple(prefixes), pattern.matches, since)


async def _session(tail: _Tail, start: Members) -> AsyncIterator[Members]:
    account = tail.ctx.account
    _sessions[account] += 1
    try:
        yield {"sessionStart": start}
        ends = time.monotonic() + SESSION_SECONDS_MAX
        while not tail.ctx.parts.logs.is_closing:
            await asyncio.sleep(EVERY_SECONDS)
            if time.monotonic() > ends:
                raise AwsError("SessionTimeoutException", "The session has been open for three hours.")
            yield _update(await asyncio.to_thread(tail.new))
    finally:
        _sessions[account] -= 1


def _update(events: list[Members]) -> Members:
    sampled = len(events) > EVENTS_MAX
    if sampled:
        events = [events[at * len(events) // EVENTS_MAX] for at in range(EVENTS_MAX)]
    return {"sessionUpdate": {"sessionMetadata": {"sampled": sampled}, "sessionResults": events}}


def _shown(arn: str, stream: LogStream, event: LogEvent) -> Members:
    return {
        "logStreamName": stream.name,
        "logGroupIdentifier": arn,
        "message": event.message,
        "timestamp": event.timestamp_ms,
        "ingestionTime": event.ingested_ms,
    }
