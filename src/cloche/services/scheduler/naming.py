"""Schedules and groups by name and by ARN. Every account has the group ``default``, which nobody made."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context
from cloche.engines.events.scheduling import GROUP, SCHEDULE
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

DEFAULT_GROUP: Final = "default"
PAGE_DEFAULT: Final = 100


def group_arn(ctx: Context, name: str) -> str:
    return f"arn:aws:scheduler:{ctx.region}:{ctx.account}:schedule-group/{name}"


def schedule_arn(ctx: Context, group: str, name: str) -> str:
    return f"arn:aws:scheduler:{ctx.region}:{ctx.account}:schedule/{group}/{name}"


def require_group(ctx: Context, connection: sqlite3.Connection, name: str) -> None:
    """Raises ``NotFound``."""
    if name != DEFAULT_GROUP and records.find(connection, ctx.account, ctx.region, GROUP, name) is None:
        raise NotFound(f"Schedule group {name} does not exist.")  # getmoto/moto, scheduler/exceptions.py


def schedule_named(ctx: Context, connection: sqlite3.Connection, group: str, name: str) -> Record:
    """Raises ``NotFound``, for the group as well."""
    require_group(ctx, connection, group)
    found = records.find(connection, ctx.account, ctx.region, SCHEDULE, f"{group}/{name}")
    if found is None:
        raise NotFound(f"Schedule {name} does not exist.")  # the same
    return found
