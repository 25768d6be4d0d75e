"""Replays: archived events put on their bus once more, to all rules or to some
(docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html)."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.events.replays import REPLAY, UNDER_WAY
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Invalid, LimitReached, NotFound
from cloche.services.events.archive import archive_arn, archive_named
from cloche.services.events.naming import PAGE_DEFAULT, bus_arn, rule_arn
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

REPLAYS_MAX: Final = 10  # at once: docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html


@operation("StartReplay")
def start_replay(ctx: Context, request: Members) -> Members:
    name = request["ReplayName"]
    arn = f"arn:aws:events:{ctx.region}:{ctx.account}:replay/{name}"
    kept = _planned(ctx, request)

    def start(tx: sqlite3.Connection) -> Record:
        under_way = tx.execute(
            "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?"
            " AND status IN ('STARTING', 'RUNNING', 'CANCELLING')",
            (ctx.account, ctx.region, REPLAY),
        ).fetchone()[0]
        if under_way >= REPLAYS_MAX:
            raise LimitReached("The requested resource exceeds the maximum number allowed.")
        place: Members = {"account": ctx.account, "region": ctx.region, "at": ctx.now.timestamp()}
        made = records.insert(tx, **place, kind=REPLAY, name=name, arn=arn, request=kept)
        records.set_status(tx, arn, "STARTING")
        ctx.parts.events.replays.started()
        return made

    try:
        made = ctx.parts.database.write(start)
    except AlreadyExists:
        raise AlreadyExists(f"Replay {name} already exists.") from None
    return {"ReplayArn": arn, "State": "STARTING", "ReplayStartTime": from_epoch(made.created_at)}


def _planned(ctx: Context, request: Members) -> Members:
    source, destination = request["EventSourceArn"], request["Destination"]
    archive = archive_named(ctx, ctx.parts.database.reader, source.removeprefix(archive_arn(ctx, "")))
    bus = archive.request["Bus"]
    if destination["Arn"] != bus_arn(ctx, bus):
        raise Invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
    for rule in destination.get("FilterArns") or ():
        if not rule.startswith(rule_arn(ctx, bus, "")):
            raise Invalid("Parameter Destination.FilterArns is not valid. Reason: a rule is not of the event bus.")
    start, end = _seconds(request["EventStartTime"]), _seconds(request["EventEndTime"])
    if end <= start:
        raise Invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
    kept = {"Bus": bus, "Start": start, "End": end, "EventSourceArn": archive.arn, "Destination": destination}
    return {**kept, "Description": request["Description"]} if request.get("Description") else kept


def _seconds(at: Any) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at)


@operation("CancelReplay")
def cancel_replay(ctx: Context, request: Members) -> Members:
    def cancel(tx: sqlite3.Connection) -> str:
        found = _replay_named(ctx, tx, request["ReplayName"])
        if found.status not in UNDER_WAY:
            raise AwsError("IllegalStatusException", f"Replay {found.name} is not in a valid state for this operation.")
        records.set_status(tx, found.arn, "CANCELLING")
        ctx.parts.events.replays.started()
        return found.arn

    return {"ReplayArn": ctx.parts.database.write(cancel), "State": "CANCELLING"}


@operation("DescribeReplay", reads=True)
def describe_replay(ctx: Context, request: Members) -> Members:
    found = _replay_named(ctx, ctx.parts.database.reader, request["ReplayName"])
    more = {"Description": found.request["Description"]} if "Description" in found.request else {}
    return {"ReplayArn": found.arn, "Destination": found.request["Destination"], **more, **_shown(found)}


@operation("ListReplays", reads=True)
def list_replays(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    prefix, state, source = (request.get(name) or "" for name in ("NamePrefix", "State", "EventSourceArn"))
    question: list[Any] = ["ListReplays", ctx.account, ctx.region, prefix, state, source]
    secret, token = records.page_secret(reader), request.get("NextToken")
    filters = {"status = ?": state, "request ->> 'EventSourceArn' = ?": source}
    walk = Walk(
        "records",
        ("name",),
        conditions=(
            *("account = ?", "region = ?", "kind = ?", "substr(name, 1, ?) = ?"),
            *(condition for condition, value in filters.items() if value),
        ),
        arguments=(ctx.account, ctx.region, REPLAY, len(prefix), prefix, *filter(None, filters.values())),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("Limit") or PAGE_DEFAULT)
    answer: Members = {"Replays": [_shown(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _replay_named(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    found = records.find(connection, ctx.account, ctx.region, REPLAY, name)
    if found is None:
        raise NotFound(f"Replay {name} does not exist.")
    return found


def _shown(replay: Record) -> Members:
    request, state = replay.request, replay.state
    moments = {
        "EventStartTime": request["Start"],
        "EventEndTime": request["End"],
        "EventLastReplayedTime": state.get("at"),
        "ReplayStartTime": replay.created_at,
        "ReplayEndTime": state.get("ended_at"),
    }
    return {
        "ReplayName": replay.name,
        "EventSourceArn": request["EventSourceArn"],
        "State": replay.status,
        "StateReason": state.get("reason"),
        **{name: from_epoch(at) for name, at in moments.items() if at is not None},
    }
