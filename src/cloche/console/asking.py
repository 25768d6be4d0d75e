"""The console's only source: operations, asked by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cloche.aws.errors import AwsError

Members = dict[str, Any]
Ask = Callable[[str, str, Members], Awaitable[Members]]
"""``await ask(service, operation, members)`` → the answer's members. Raises ``AwsError`` as a client would see it."""


async def ask_or(ask: Ask, service: str, operation: str, members: Members, otherwise: Members) -> Members:
    """The answer, or ``otherwise`` where the service refuses (a log group that is not there yet, for one)."""
    try:
        return await ask(service, operation, members)
    except AwsError:
        return otherwise


async def ask_all(*calls: Awaitable[Members]) -> list[Members]:
    """Several answers, asked for at once."""
    return list(await asyncio.gather(*calls))


async def log_lines(ask: Ask, group: str, stream_prefix: str, lines_max: int = 5000) -> list[Members]:
    """The events of the newest stream below ``stream_prefix``, oldest first; empty where there is none."""
    found = await ask_or(
        ask,
        "logs",
        "DescribeLogStreams",
        {"logGroupName": group, "logStreamNamePrefix": stream_prefix},
        {"logStreams": []},
    )
    if not found["logStreams"]:
        return []
    stream = found["logStreams"][-1]["logStreamName"]
    events: list[Members] = []
    token: str | None = None
    while len(events) < lines_max:
        members: Members = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        if token is not None:
            members["nextToken"] = token
        page = await ask_or(ask, "logs", "GetLogEvents", members, {"events": []})
        events += page["events"]
        if not page["events"] or page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    return events[-lines_max:]
