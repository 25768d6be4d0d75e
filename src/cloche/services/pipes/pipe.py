"""Pipes: made, changed, told of. What runs one is the engine's."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.engines.events.schema import PIPE
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Conflict, LimitReached, NotFound
from cloche.services.pipes.checks import require_sound
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

PIPES_MAX: Final = 1_000  # docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
PAGE_DEFAULT: Final = 100
RESTING: Final = frozenset(
    {"RUNNING", "STOPPED", "CREATE_FAILED", "UPDATE_FAILED", "START_FAILED", "STOP_FAILED", "DELETE_FAILED"}
)
"""States in which a pipe may be changed (API_Pipe.html)."""
_DEFINED: Final = (
    *("Description", "DesiredState", "Source", "SourceParameters", "Enrichment", "EnrichmentParameters"),
    *("Target", "TargetParameters", "RoleArn", "LogConfiguration", "KmsKeyIdentifier"),
)


def pipe_arn(ctx: Context, name: str) -> str:
    return f"arn:aws:pipes:{ctx.region}:{ctx.account}:pipe/{name}"


def pipe_named(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """Raises ``NotFound``."""
    found = records.find(connection, ctx.account, ctx.region, PIPE, name)
    if found is None:
        raise NotFound(f"Pipe {name} does not exist.")
    return found


def resting(ctx: Context, tx: sqlite3.Connection, name: str) -> Record:
    """The pipe, where nothing is on its way with it. Raises ``NotFound``, ``Conflict``."""
    found = pipe_named(ctx, tx, name)
    if found.status not in RESTING:
        raise Conflict(f"Pipe {name} is {found.status}: it can be changed once that is done.")
    return found


def enter(ctx: Context, tx: sqlite3.Connection, pipe: Record, state: str) -> Members:
    """The pipe is on its way to another state; the answer that all changes give."""
    records.set_status(tx, pipe.arn, state, state={})
    ctx.parts.events.pipes.changed()
    changed = records.find_arn(tx, pipe.arn)
    assert changed is not None
    return summary(changed)


def summary(pipe: Record) -> Members:
    return {
        "Arn": pipe.arn,
        "Name": pipe.name,
        "DesiredState": "DELETED" if pipe.status == "DELETING" else pipe.request["DesiredState"],
        "CurrentState": pipe.status,
        "CreationTime": from_epoch(pipe.created_at),
        "LastModifiedTime": from_epoch(pipe.modified_at),
    }


@operation("CreatePipe")
def create_pipe(ctx: Context, request: Members) -> Members:
    name = request["Name"]
    kept = {member: request[member] for member in _DEFINED if request.get(member) is not None}
    kept.setdefault("DesiredState", "RUNNING")
    require_sound(ctx, kept)
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in (request.get("Tags") or {}).items())

    def create(tx: sqlite3.Connection) -> Members:
        count = tx.execute(
            "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?",
            (ctx.account, ctx.region, PIPE),
        ).fetchone()[0]
        if count >= PIPES_MAX:
            raise LimitReached(f"You may not have more than {PIPES_MAX} pipes.")
        made = records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=PIPE,
            name=name,
            arn=pipe_arn(ctx, name),
            at=ctx.now.timestamp(),
            request=kept,
        )
        tagging.add_tags(tx, made.arn, pairs)
        return enter(ctx, tx, made, "CREATING")

    try:
        return ctx.parts.database.write(create)  # type: ignore[no-any-return]
    except AlreadyExists:
        raise AlreadyExists(f"Pipe {name} already exists.") from None


@operation("UpdatePipe")
def update_pipe(ctx: Context, request: Members) -> Members:
    """What is not given stays; the source stays in any case (API_UpdatePipe.html)."""
    reader = ctx.parts.database.reader
    given: Members = {member: request[member] for member in _DEFINED if member in request}
    require_sound(ctx, {**pipe_named(ctx, reader, request["Name"]).request, **given})

    def update(tx: sqlite3.Connection) -> Members:
        found = resting(ctx, tx, request["Name"])
        records.replace_request(tx, found.arn, {**found.request, **given}, ctx.now.timestamp())
        return enter(ctx, tx, found, "UPDATING")

    return ctx.parts.database.write(update)  # type: ignore[no-any-return]


@operation("DescribePipe", reads=True)
def describe_pipe(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    found = pipe_named(ctx, reader, request["Name"])
    reason = found.state.get("reason")
    return {
        **found.request,
        **summary(found),
        **({"StateReason": reason} if reason else {}),
        "Tags": dict(tags.read(reader, found.arn)),
    }


@operation("ListPipes", reads=True)
def list_pipes(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    conditions = ["account = ?", "region = ?", "kind = ?"]
    arguments: list[Any] = [ctx.account, ctx.region, PIPE]
    for member, column in (
        ("NamePrefix", "name"),
        ("SourcePrefix", "request ->> 'Source'"),
        ("TargetPrefix", "request ->> 'Target'"),
    ):
        if prefix := request.get(member):
            conditions.append(f"substr({column}, 1, ?) = ?")
            arguments += [len(prefix), prefix]
    for member, column in (("DesiredState", "request ->> 'DesiredState'"), ("CurrentState", "status")):
        if state := request.get(member):
            conditions.append(f"{column} = ?")
            arguments.append(state)
    question = ["ListPipes", *arguments, *conditions]
    secret, token = records.page_secret(reader), request.get("NextToken")
    walk = Walk("records", ("name",), conditions=tuple(conditions), arguments=tuple(arguments))
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("Limit") or PAGE_DEFAULT)
    answer: Members = {"Pipes": [_listed(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _listed(pipe: Record) -> Members:
    ends: Members = {name: pipe.request[name] for name in ("Source", "Enrichment", "Target") if name in pipe.request}
    reason = pipe.state.get("reason")
    return {**summary(pipe), **ends, **({"StateReason": reason} if reason else {})}
