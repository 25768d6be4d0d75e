"""Groups of schedules. What a group holds goes with it."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.engines.events.scheduling import GROUP, SCHEDULE
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Conflict, Invalid, LimitReached
from cloche.services.scheduler.naming import DEFAULT_GROUP, PAGE_DEFAULT, group_arn, require_group
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

GROUPS_MAX: Final = 500  # docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html


@operation("CreateScheduleGroup")
def create_schedule_group(ctx: Context, request: Members) -> Members:
    name, token = request["Name"], request.get("ClientToken")
    arn, pairs = group_arn(ctx, name), tagging.tag_pairs(request.get("Tags") or ())

    def create(tx: sqlite3.Connection) -> None:
        earlier = records.find_token(tx, ctx.account, ctx.region, GROUP, token) if token else None
        if earlier is not None:
            if earlier.arn != arn:
                raise Conflict("The ClientToken was used for another request.")
            return
        if name == DEFAULT_GROUP:
            raise AlreadyExists(name)
        count = tx.execute(
            "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?",
            (ctx.account, ctx.region, GROUP),
        ).fetchone()[0]
        if count + 1 >= GROUPS_MAX:
            raise LimitReached(f"You may not have more than {GROUPS_MAX} schedule groups.")
        place: Members = {"account": ctx.account, "region": ctx.region, "at": ctx.now.timestamp()}
        records.insert(tx, **place, kind=GROUP, name=name, arn=arn, request={}, token=token)
        records.set_status(tx, arn, "ACTIVE")
        tagging.add_tags(tx, arn, pairs)

    try:
        ctx.parts.database.write(create)
    except AlreadyExists:
        raise AlreadyExists(f"Schedule group {name} already exists.") from None
    return {"ScheduleGroupArn": arn}


@operation("GetScheduleGroup", reads=True)
def get_schedule_group(ctx: Context, request: Members) -> Members:
    name, reader = request["Name"], ctx.parts.database.reader
    require_group(ctx, reader, name)
    found = records.find(reader, ctx.account, ctx.region, GROUP, name)
    return _default(ctx) if found is None else _shown(found)


@operation("ListScheduleGroups", reads=True)
def list_schedule_groups(ctx: Context, request: Members) -> Members:
    prefix, reader = request.get("NamePrefix") or "", ctx.parts.database.reader
    question: list[Any] = ["ListScheduleGroups", ctx.account, ctx.region, prefix]
    secret, token = records.page_secret(reader), request.get("NextToken")
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?", "substr(name, 1, ?) = ?"),
        arguments=(ctx.account, ctx.region, GROUP, len(prefix), prefix),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("MaxResults") or PAGE_DEFAULT)
    found = [_shown(records.from_row(row)) for row in page.rows]
    if after is None and DEFAULT_GROUP.startswith(prefix):
        found.insert(0, _default(ctx))
    answer: Members = {"ScheduleGroups": found}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteScheduleGroup")
def delete_schedule_group(ctx: Context, request: Members) -> Members:
    """With its schedules, at once."""
    name = request["Name"]
    if name == DEFAULT_GROUP:
        raise Invalid("The default schedule group cannot be deleted.")

    def delete(tx: sqlite3.Connection) -> None:
        require_group(ctx, tx, name)
        held = tx.execute(
            "SELECT arn FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? AND name < ?",
            (ctx.account, ctx.region, SCHEDULE, f"{name}/", f"{name}0"),  # the character after the slash
        ).fetchall()
        for row in held:
            ctx.parts.events.schedules.remove(tx, row["arn"])
            records.remove(tx, row["arn"])
        records.remove(tx, group_arn(ctx, name))

    ctx.parts.database.write(delete)
    return {}


def _default(ctx: Context) -> Members:
    return {"Arn": group_arn(ctx, DEFAULT_GROUP), "Name": DEFAULT_GROUP, "State": "ACTIVE"}


def _shown(group: Record) -> Members:
    return {
        "Arn": group.arn,
        "Name": group.name,
        "State": group.status,
        "CreationDate": from_epoch(group.created_at),
        "LastModificationDate": from_epoch(group.modified_at),
    }
