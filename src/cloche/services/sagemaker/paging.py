"""Pages of lists that no noun's kit answers: a token carries the walk, the server keeps nothing."""

from __future__ import annotations

import sqlite3
from typing import Any

from cloche.aws.operation import Context, Members
from cloche.aws.resource import tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page


def page_of(ctx: Context, operation: str, walk: Walk, request: Members) -> tuple[list[sqlite3.Row], str | None]:
    """A page of ``walk``, and the token of the next."""
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = [operation, ctx.account, ctx.region, walk.descending, *_asked(walk)]
    token = request.get("NextToken")
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("MaxResults", PAGE_DEFAULT))
    return page.rows, None if page.last is None else tokens.seal(secret, question, page.last)


def slice_of(
    ctx: Context, operation: str, about: list[Any], items: list[str], request: Members
) -> tuple[list[str], str | None]:
    """The same of what is at hand as a list that does not change."""
    secret = records.page_secret(ctx.parts.database.reader)
    question = [operation, ctx.account, ctx.region, about]
    token = request.get("NextToken")
    begin = int(tokens.unseal(secret, question, token)[0]) if token else 0
    end = begin + request.get("MaxResults", PAGE_DEFAULT)
    return items[begin:end], tokens.seal(secret, question, (end,)) if end < len(items) else None


def _asked(walk: Walk) -> list[Any]:
    return [list(walk.key), list(walk.conditions), list(walk.arguments)]
