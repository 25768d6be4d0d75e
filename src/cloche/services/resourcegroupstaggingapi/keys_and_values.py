"""GetTagKeys and GetTagValues: what is in use in this account and region."""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.services.resourcegroupstaggingapi.paging import position, token

PAGE: Final = 1_000
"""Cloche's own: AWS does not say how many it gives at a time, and none can be asked for."""


@operation("GetTagKeys", reads=True)
def get_tag_keys(ctx: Context, request: Members) -> Members:
    question = ["GetTagKeys", ctx.account, ctx.region]
    after = position(ctx, question, request.get("PaginationToken"))
    found = ctx.parts.tagging.keys(ctx.account, ctx.region, after=after or "", limit=PAGE + 1)
    return {"TagKeys": found[:PAGE], "PaginationToken": token(ctx, question, found[PAGE - 1]) if found[PAGE:] else ""}


@operation("GetTagValues", reads=True)
def get_tag_values(ctx: Context, request: Members) -> Members:
    question = ["GetTagValues", ctx.account, ctx.region, request["Key"]]
    after = position(ctx, question, request.get("PaginationToken"))
    found = ctx.parts.tagging.values(ctx.account, ctx.region, request["Key"], after=after, limit=PAGE + 1)
    return {"TagValues": found[:PAGE], "PaginationToken": token(ctx, question, found[PAGE - 1]) if found[PAGE:] else ""}
