"""Buses and rules by name and by ARN."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context
from cloche.engines.events.rules import BUS, DEFAULT_BUS, RULE, Bus, bus_of, filed_name
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

PAGE_DEFAULT: Final = 100


def bus_arn(ctx: Context, name: str) -> str:
    return f"arn:aws:events:{ctx.region}:{ctx.account}:event-bus/{name}"


def rule_arn(ctx: Context, bus: str, name: str) -> str:
    """A default bus's rules do not name it (docs.aws.amazon.com/service-authorization/latest/reference/
    list_amazoneventbridge.html)."""
    path = name if bus == DEFAULT_BUS else f"{bus}/{name}"
    return f"arn:aws:events:{ctx.region}:{ctx.account}:rule/{path}"


def rule_name(record: Record) -> str:
    return record.name.rpartition("/")[2]


def bus_named(ctx: Context, given: str | None) -> str:
    """The name of a bus of the caller's that is there. Raises ``NotFound``, ``Invalid`` for another account's."""
    name = given or DEFAULT_BUS
    if name.startswith("arn:"):
        if not name.startswith(prefix := bus_arn(ctx, "")):
            raise Invalid(f"Cloche knows event buses of the caller's own account and region only, not {name}.")
        name = name.removeprefix(prefix)
    if name != DEFAULT_BUS and records.find(ctx.parts.database.reader, ctx.account, ctx.region, BUS, name) is None:
        raise NotFound(f"Event bus {name} does not exist.")
    return name


def bus_to_put_on(ctx: Context, given: str | None) -> Bus:
    """A bus that the caller may put events on: one of its own, or by ARN one of another account that lets it in, in any
    Region. Raises ``NotFound``, ``Denied``."""
    parts = (given or "").split(":", 5)
    if len(parts) != 6 or (parts[4], parts[3]) == (ctx.account, ctx.region):
        return ctx.account, ctx.region, bus_named(ctx, given)
    bus = (parts[4], parts[3], parts[5].removeprefix("event-bus/"))
    if not ctx.parts.events.policies.let_in(ctx.parts.database.reader, bus, ctx.account, ""):
        raise Denied(f"User: {ctx.caller.arn} is not authorized to perform: events:PutEvents on resource: {given}")
    return bus


def rule_of(ctx: Context, connection: sqlite3.Connection, bus: str, name: str) -> Record:
    """Raises ``NotFound``."""
    found = records.find(connection, ctx.account, ctx.region, RULE, filed_name(bus, name))
    if found is None:
        raise NotFound(f"Rule {name} does not exist on EventBus {bus_of(filed_name(bus, name))}.")
    return found


def require_own(rule: Record) -> None:
    """API_PutRule.html, ManagedRuleException: rules that AWS made for a service of its own are not the user's."""
    if rule.request.get("ManagedBy"):
        name = rule_name(rule)
        raise AwsError("ManagedRuleException", f"Rule {name} is managed by {rule.request['ManagedBy']}.")
