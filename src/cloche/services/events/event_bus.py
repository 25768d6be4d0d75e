"""Event buses: every account has its default one in every region, and may make others."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.engines.events.rules import BUS, DEFAULT_BUS, RULE
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Invalid, LimitReached, NotSupported
from cloche.services.events.naming import PAGE_DEFAULT, bus_arn, bus_named
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

BUSES_MAX: Final = 100  # docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
_NOT_DONE: Final = ("EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")


@operation("CreateEventBus")
def create_event_bus(ctx: Context, request: Members) -> Members:
    for member in _NOT_DONE:
        if request.get(member):
            raise NotSupported(f"CreateEventBus does not support {member} in Cloche")
    name = request["Name"]
    if name == DEFAULT_BUS or "/" in name:
        # API_CreateEventBus.html: a custom bus's name "can't contain the / character" nor be default
        raise Invalid(f"Event bus name {name} is not valid for a custom event bus.", field="Name")
    pairs = tagging.tag_pairs(request.get("Tags") or ())
    arn = bus_arn(ctx, name)
    kept = {"Description": request["Description"]} if request.get("Description") else {}

    def insert(tx: sqlite3.Connection) -> None:
        held = tx.execute(
            "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?", (ctx.account, ctx.region, BUS)
        ).fetchone()[0]
        if held + 1 >= BUSES_MAX:
            raise LimitReached(f"The requested resource exceeds the maximum number allowed: {BUSES_MAX} event buses.")
        at = ctx.now.timestamp()
        records.insert(tx, account=ctx.account, region=ctx.region, kind=BUS, name=name, arn=arn, at=at, request=kept)
        tagging.add_tags(tx, arn, pairs)

    try:
        ctx.parts.database.write(insert)
    except AlreadyExists:
        raise AlreadyExists(f"Event bus {name} already exists.") from None
    return {"EventBusArn": arn, **kept}


@operation("DescribeEventBus", reads=True)
def describe_event_bus(ctx: Context, request: Members) -> Members:
    name = bus_named(ctx, request.get("Name"))
    found = records.find(ctx.parts.database.reader, ctx.account, ctx.region, BUS, name)
    policy = ctx.parts.events.policies.read(ctx.parts.database.reader, (ctx.account, ctx.region, name))
    shown = {"Name": name, "Arn": bus_arn(ctx, name)} if found is None else _shown(found)
    return {**shown, "Policy": policy} if policy else shown


@operation("ListEventBuses", reads=True)
def list_event_buses(ctx: Context, request: Members) -> Members:
    prefix, size = request.get("NamePrefix") or "", request.get("Limit") or PAGE_DEFAULT
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = ["ListEventBuses", ctx.account, ctx.region, prefix]
    token = request.get("NextToken")
    after = tokens.unseal(secret, question, token) if token else None
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?", "substr(name, 1, ?) = ?"),
        arguments=(ctx.account, ctx.region, BUS, len(prefix), prefix),
    )
    page = read_page(reader, walk, after=after, size=size)
    found = [_shown(records.from_row(row)) for row in page.rows]
    if after is None and DEFAULT_BUS.startswith(prefix):
        found.insert(0, {"Name": DEFAULT_BUS, "Arn": bus_arn(ctx, DEFAULT_BUS)})
    answer: Members = {"EventBuses": found}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteEventBus")
def delete_event_bus(ctx: Context, request: Members) -> Members:
    """One that is not there is as good as deleted."""
    name = request["Name"]
    if name == DEFAULT_BUS:
        raise Invalid("Cannot delete event bus default.", field="Name")

    def remove(tx: sqlite3.Connection) -> None:
        has_rules = tx.execute(
            "SELECT 1 FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? AND name < ?",
            (ctx.account, ctx.region, RULE, f"{name}/", f"{name}0"),  # the character after the slash
        )
        if has_rules.fetchone() is not None:
            raise Invalid("Event bus can't be deleted since it has rules.", field="Name")
        ctx.parts.events.policies.write(tx, (ctx.account, ctx.region, name), "")
        records.remove(tx, bus_arn(ctx, name))

    ctx.parts.database.write(remove)
    return {}


def _shown(record: Record) -> Members:
    return {
        "Name": record.name,
        "Arn": record.arn,
        "Description": record.request.get("Description"),
        "CreationTime": from_epoch(record.created_at),
        "LastModifiedTime": from_epoch(record.modified_at),
    }
