"""Archives: what happens on a bus, or what of it fits a pattern, kept for a time.

An archive shows itself on its bus as AWS's does: as a rule of its own, ``Events-Archive-<name>``, that only the archive
may change, and that leaves replayed events out
(docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive-event.html).
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.events.archives import ARCHIVE
from cloche.engines.events.rules import RULE, filed_name, put_target, remove_target
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, LimitReached, NotFound, NotSupported
from cloche.services.events.errors import require_pattern
from cloche.services.events.naming import PAGE_DEFAULT, bus_named, rule_arn
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

ARCHIVES_MAX: Final = 100  # docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
MANAGER: Final = "prod.vhs.events.aws.internal"
_CHANGED: Final = ("Description", "EventPattern", "RetentionDays")


def archive_arn(ctx: Context, name: str) -> str:
    return f"arn:aws:events:{ctx.region}:{ctx.account}:archive/{name}"


def archive_named(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """Raises ``NotFound``."""
    found = records.find(connection, ctx.account, ctx.region, ARCHIVE, name)
    if found is None:
        raise NotFound(f"Archive {name} does not exist.")
    return found


@operation("CreateArchive")
def create_archive(ctx: Context, request: Members) -> Members:
    _require_no_key(request)
    if request.get("EventPattern"):
        require_pattern(request["EventPattern"])
    bus, name = bus_named(ctx, request["EventSourceArn"]), request["ArchiveName"]
    kept: Members = {"Bus": bus, **{each: request[each] for each in ("EventSourceArn", *_CHANGED) if each in request}}
    kept.setdefault("RetentionDays", 0)

    def create(tx: sqlite3.Connection) -> Record:
        count = tx.execute(
            "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?",
            (ctx.account, ctx.region, ARCHIVE),
        ).fetchone()[0]
        if count >= ARCHIVES_MAX:
            raise LimitReached("The requested resource exceeds the maximum number allowed.")
        place: Members = {"account": ctx.account, "region": ctx.region, "at": ctx.now.timestamp()}
        made = records.insert(tx, **place, kind=ARCHIVE, name=name, arn=archive_arn(ctx, name), request=kept)
        records.set_status(tx, made.arn, "ENABLED")
        rule = records.insert(
            tx,
            **place,
            kind=RULE,
            name=filed_name(bus, _rule_name(name)),
            arn=rule_arn(ctx, bus, _rule_name(name)),
            request=_rule_request(kept),
        )
        records.set_status(tx, rule.arn, "ENABLED")
        put_target(tx, ctx.account, ctx.region, rule.arn, {"Id": name, "Arn": made.arn})
        return made

    try:
        made = ctx.parts.database.write(create)
    except AlreadyExists:
        raise AlreadyExists(f"Archive {name} already exists.") from None
    ctx.parts.events.rules.changed()
    return {"ArchiveArn": made.arn, "State": "ENABLED", "CreationTime": from_epoch(made.created_at)}


@operation("UpdateArchive")
def update_archive(ctx: Context, request: Members) -> Members:
    """What is not given stays."""
    _require_no_key(request)
    if request.get("EventPattern"):
        require_pattern(request["EventPattern"])

    def update(tx: sqlite3.Connection) -> Record:
        found, at = archive_named(ctx, tx, request["ArchiveName"]), ctx.now.timestamp()
        kept: Members = {**found.request, **{each: request[each] for each in _CHANGED if each in request}}
        records.replace_request(tx, found.arn, kept, at)
        rule = rule_arn(ctx, kept["Bus"], _rule_name(found.name))
        records.replace_request(tx, rule, _rule_request(kept), at)
        return found

    found = ctx.parts.database.write(update)
    ctx.parts.events.rules.changed()
    return {"ArchiveArn": found.arn, "State": "ENABLED", "CreationTime": from_epoch(found.created_at)}


@operation("DescribeArchive", reads=True)
def describe_archive(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    found = archive_named(ctx, reader, request["ArchiveName"])
    more: Members = {name: found.request[name] for name in ("Description", "EventPattern") if name in found.request}
    return {"ArchiveArn": found.arn, **_shown(ctx, reader, found), **more}


@operation("ListArchives", reads=True)
def list_archives(ctx: Context, request: Members) -> Members:
    """At most one of the three filters (API_ListArchives.html)."""
    reader = ctx.parts.database.reader
    filters = [request.get(name) or "" for name in ("NamePrefix", "EventSourceArn", "State")]
    question: list[Any] = ["ListArchives", ctx.account, ctx.region, *filters]
    secret, token = records.page_secret(reader), request.get("NextToken")
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?", "substr(name, 1, ?) = ?", *_conditions(filters)),
        arguments=(ctx.account, ctx.region, ARCHIVE, len(filters[0]), filters[0], *filter(None, filters[1:])),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("Limit") or PAGE_DEFAULT)
    answer: Members = {"Archives": [_shown(ctx, reader, records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteArchive")
def delete_archive(ctx: Context, request: Members) -> Members:
    """With all that it keeps."""

    def delete(tx: sqlite3.Connection) -> None:
        found = archive_named(ctx, tx, request["ArchiveName"])
        rule = rule_arn(ctx, found.request["Bus"], _rule_name(found.name))
        remove_target(tx, rule, found.name)
        records.remove(tx, rule)
        records.remove(tx, found.arn)
        ctx.parts.events.archives.empty(tx, found.arn)

    ctx.parts.database.write(delete)
    ctx.parts.events.rules.changed()
    return {}


def _require_no_key(request: Members) -> None:
    if request.get("KmsKeyIdentifier"):
        raise NotSupported("Archives with KmsKeyIdentifier are not supported in Cloche")


def _conditions(filters: list[str]) -> list[str]:
    columns = ("request ->> 'EventSourceArn'", "status")
    return [f"{column} = ?" for column, value in zip(columns, filters[1:], strict=True) if value]


def _rule_name(archive: str) -> str:
    return f"Events-Archive-{archive}"


def _rule_request(kept: Members) -> Members:
    pattern = json.loads(kept.get("EventPattern") or "{}")
    text = json.dumps({**pattern, "replay-name": [{"exists": False}]})
    return {"EventPattern": text, "ManagedBy": MANAGER}


def _shown(ctx: Context, connection: sqlite3.Connection, archive: Record) -> Members:
    count, size = ctx.parts.events.archives.measured(connection, archive)
    return {
        "ArchiveName": archive.name,
        "EventSourceArn": archive.request["EventSourceArn"],
        "State": archive.status,
        "RetentionDays": archive.request["RetentionDays"],
        "EventCount": count,
        "SizeBytes": size,
        "CreationTime": from_epoch(archive.created_at),
    }
