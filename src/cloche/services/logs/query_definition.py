"""Query definitions: queries that are kept under a name. They are stored as they are given, and not tried."""

from __future__ import annotations

import sqlite3
import uuid
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.foundation.errors import LimitReached, NotFound, NotSupported
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

KIND: Final = "log-query-definition"
# docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: saved queries, 1,000 per region
DEFINITIONS_MAX: Final = 1_000
DESCRIBE_DEFAULT: Final = 1_000


@operation("PutQueryDefinition")
def put_query_definition(ctx: Context, request: Members) -> Members:
    """With an id what was kept is replaced as a whole; without one there is a new one."""
    if request.get("queryLanguage", "CWLI") != "CWLI":
        raise NotSupported(f"PutQueryDefinition does not support {request['queryLanguage']} in Cloche")
    kept = {name: value for name, value in request.items() if name not in ("queryDefinitionId", "clientToken")}
    token, id = request.get("clientToken"), request.get("queryDefinitionId")
    at = ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> str:
        if id is not None:
            _required(tx, ctx, id)
            records.replace_request(tx, _arn(ctx, id), kept, at)
            return str(id)
        made = records.find_token(tx, ctx.account, ctx.region, KIND, token) if token else None
        if made is not None:
            return made.name
        count = tx.execute(
            "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?",
            (ctx.account, ctx.region, KIND),
        ).fetchone()[0]
        if count >= DEFINITIONS_MAX:
            raise LimitReached("Resource limit exceeded.")
        new = str(uuid.uuid4())
        records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=KIND,
            name=new,
            arn=_arn(ctx, new),
            at=at,
            request=kept,
            token=token,
        )
        return new

    return {"queryDefinitionId": ctx.parts.database.write(change)}


@operation("DescribeQueryDefinitions", reads=True)
def describe_query_definitions(ctx: Context, request: Members) -> Members:
    prefix, language = request.get("queryDefinitionNamePrefix", ""), request.get("queryLanguage", "CWLI")
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = ["DescribeQueryDefinitions", ctx.account, ctx.region, prefix, language]
    token = request.get("nextToken")
    walk = Walk(
        "records",
        ("created_at", "name"),
        conditions=("account = ?", "region = ?", "kind = ?", "substr(json_extract(request, '$.name'), 1, ?) = ?"),
        arguments=(ctx.account, ctx.region, KIND, len(prefix), prefix),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("maxResults", DESCRIBE_DEFAULT))
    found = [records.from_row(row) for row in page.rows] if language == "CWLI" else []
    answer: Members = {"queryDefinitions": [_shown(record) for record in found]}
    if page.last is not None:
        answer["nextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteQueryDefinition")
def delete_query_definition(ctx: Context, request: Members) -> Members:
    id = request["queryDefinitionId"]

    def change(tx: sqlite3.Connection) -> None:
        _required(tx, ctx, id)
        records.remove(tx, _arn(ctx, id))

    ctx.parts.database.write(change)
    return {"success": True}


def _required(tx: sqlite3.Connection, ctx: Context, id: str) -> None:
    if records.find(tx, ctx.account, ctx.region, KIND, id) is None:
        raise NotFound("The specified query definition does not exist.")


def _arn(ctx: Context, id: str) -> str:
    return f"arn:aws:logs:{ctx.region}:{ctx.account}:query-definition:{id}"


def _shown(record: Record) -> Members:
    return {
        **record.request,
        "queryLanguage": "CWLI",
        "queryDefinitionId": record.name,
        "lastModified": int(record.modified_at * 1000),
    }
