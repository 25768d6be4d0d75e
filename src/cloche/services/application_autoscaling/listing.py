"""Lists of targets, policies, scheduled actions and activities: filtered alike, a page of 50 at most."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import tokens
from cloche.engines.autoscaling.dimensions import NAMESPACE
from cloche.foundation.errors import Invalid
from cloche.services.application_autoscaling.errors import invalid_token
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

PAGE: Final = 50
Token = str | None


def resources_of(request: Members) -> Sequence[str]:
    """Those asked for, all if there are none. Raises ``Invalid`` for a dimension without a resource, which
    API_DescribeScalingPolicies.html forbids."""
    given = request.get("ResourceIds") or [each for each in [request.get("ResourceId")] if each]
    if request.get("ScalableDimension") and not given:
        raise Invalid("ResourceId must be specified with ScalableDimension")
    return list(given)


def record_page(ctx: Context, request: Members, kind: str, names: Sequence[str] = ()) -> tuple[list[Record], Token]:
    """``names``: the last parts of the records' names that are asked for; all if there are none."""
    resources, dimension = resources_of(request), request.get("ScalableDimension")
    if request["ServiceNamespace"] != NAMESPACE:
        return [], None  # nobody can have registered any
    conditions, arguments = ["account = ?", "region = ?", "kind = ?"], [ctx.account, ctx.region, kind]
    for column, wanted in (
        ("json_extract(request, '$.ResourceId')", resources),
        ("json_extract(request, '$.ScalableDimension')", [dimension] if dimension else []),
        ("substr(name, instr(substr(name, instr(name, '|') + 1), '|') + instr(name, '|') + 1)", names),
    ):
        if wanted:
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            arguments += wanted
    walk = Walk("records", ("name",), conditions=tuple(conditions), arguments=tuple(arguments))
    rows, token = page(ctx, request, walk, [kind, *arguments])
    return [records.from_row(row) for row in rows], token


def page(ctx: Context, request: Members, walk: Walk, question: list[Any]) -> tuple[list[sqlite3.Row], Token]:
    """Raises ``Invalid`` for a size, ``InvalidNextTokenException``."""
    size = request.get("MaxResults") or PAGE
    if not 1 <= size <= PAGE:
        raise Invalid(f"MaxResults must be between 1 and {PAGE}")
    reader = ctx.parts.database.reader
    secret, token = records.page_secret(reader), request.get("NextToken")
    try:
        after = tokens.unseal(secret, question, token) if token else None
    except Invalid:
        raise invalid_token() from None
    found = read_page(reader, walk, after=after, size=size)
    return found.rows, None if found.last is None else tokens.seal(secret, question, found.last)


def answer(name: str, shown: list[Members], token: Token) -> Members:
    return {name: shown} if token is None else {name: shown, "NextToken": token}
