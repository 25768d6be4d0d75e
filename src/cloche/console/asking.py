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


async def newest_stream(ask: Ask, group: str, stream_prefix: str) -> str | None:
    """The last log stream below ``stream_prefix``; ``None`` while there is none."""
    members = {"logGroupName": group, "logStreamNamePrefix": stream_prefix}
    found = await ask_or(ask, "logs", "DescribeLogStreams", members, {"logStreams": []})
    return found["logStreams"][-1]["logStreamName"] if found["logStreams"] else None


async def log_tail(ask: Ask, group: str, stream: str | None, lines_max: int) -> list[Members]:
    """The last ``lines_max`` events of a stream, oldest first, however long the stream is."""
    if stream is None:
        return []
    members = {"logGroupName": group, "logStreamName": stream, "startFromHead": False, "limit": lines_max}
    return list((await ask_or(ask, "logs", "GetLogEvents", members, {"events": []}))["events"])
