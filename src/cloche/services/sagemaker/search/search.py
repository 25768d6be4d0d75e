"""Search: the records of one noun that satisfy an expression, in any order, page by page.

The database does the finding: filters and the order are SQL over the records' own documents. Only what a page shows
is read as records. A token carries the last place in the order, so a page costs the same however far it is.
"""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.sagemaker.search import conditions
from cloche.services.sagemaker.search.conditions import Sql
from cloche.services.sagemaker.search.properties import Resolver
from cloche.services.sagemaker.search.resources import resources
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page

SORTED_BY: Final = ("LastModifiedTime", "Descending")
"""API_Search."""


@operation("Search", reads=True)
def search(ctx: Context, request: Members) -> Members:
    if request.get("CrossAccountFilterOption") == "CrossAccount":
        raise NotSupported("Cloche does not support CrossAccountFilterOption CrossAccount: accounts share nothing here")
    searched = resources().get(request["Resource"])
    if searched is None:
        return {"Results": [], "TotalHits": {"Value": 0, "Relation": "EqualTo"}}
    reader = ctx.parts.database.reader
    condition, arguments = _condition(ctx, request, searched.resolver, searched.kind)
    found = f"{searched.source} AS records WHERE {condition}"
    total = reader.execute(f"SELECT count(*) FROM {found}", arguments).fetchone()[0]  # noqa: S608 - constants
    secret = records.page_secret(reader)
    question = _question(ctx, request)
    token = request.get("NextToken")
    after = tokens.unseal(secret, question, token) if token else None
    walk = _walk(request, searched.resolver, found, arguments)
    page = read_page(reader, walk, after=after, size=request.get("MaxResults", PAGE_DEFAULT))
    shown = (searched.read(reader, row["id"]) for row in page.rows)
    answer: Members = {
        "Results": [searched.shown(ctx, reader, record) for record in shown if record is not None],
        "TotalHits": {"Value": total, "Relation": "EqualTo"},
    }
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _condition(ctx: Context, request: Members, resolver: Resolver, kind: str) -> Sql:
    parts: list[Sql] = [("account = ? AND region = ? AND kind = ?", (ctx.account, ctx.region, kind))]
    if "SearchExpression" in request:
        parts.append(conditions.where(resolver, request["SearchExpression"]))
    if "VisibilityConditions" in request:
        parts.append(conditions.visible(request["VisibilityConditions"]))
    return " AND ".join(sql for sql, _ in parts), tuple(argument for _, some in parts for argument in some)


def _walk(request: Members, resolver: Resolver, source: str, arguments: tuple[Any, ...]) -> Walk:
    """The order is by the property's value; records that have none come last, whichever way it goes."""
    sort_by, sort_order = request.get("SortBy", SORTED_BY[0]), request.get("SortOrder", SORTED_BY[1])
    found = resolver.resolve(sort_by)
    if found.loops or found.kind == "whole":
        raise Invalid(f"Results cannot be sorted by {sort_by}: it is not a single value", field="SortBy")
    descending = sort_order == "Descending"
    last = "IS NOT NULL" if descending else "IS NULL"
    # A column of parameters would be asked for twice; so it is computed once, in the innermost selection.
    table = (
        f"(SELECT id, value {last} AS place, coalesce(value, 0) AS value FROM"  # noqa: S608 - made of constants
        f" (SELECT records.id AS id, {found.sql} AS value FROM {source}))"
    )
    return Walk(table, ("place", "value", "id"), descending, (), (*found.arguments, *arguments), "id, place, value")


def _question(ctx: Context, request: Members) -> list[Any]:
    asked = ("Resource", "SearchExpression", "SortBy", "SortOrder", "VisibilityConditions")
    return ["Search", ctx.account, ctx.region, *(request.get(name) for name in asked)]
