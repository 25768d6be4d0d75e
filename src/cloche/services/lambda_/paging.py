"""``Marker`` and ``MaxItems``: a marker holds the last key of its page, sealed with the question it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloche.aws.operation import Context, Members
from cloche.aws.resource import tokens
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Key, Page

PAGE = 50
"""API_ListFunctions.html: "returns a maximum of 50 items in each response"."""


def listed(
    ctx: Context,
    request: Members,
    question: list[Any],
    member: str,
    read: Callable[[Key | None, int], Page],
    show: Callable[[Any], Members],
) -> Members:
    """The answer of a list operation."""
    secret = records.page_secret(ctx.parts.database.reader)
    question = [ctx.account, ctx.region, *question]
    marker = request.get("Marker")
    after = tokens.unseal(secret, question, marker) if marker else None
    page = read(after, min(request.get("MaxItems") or PAGE, PAGE))
    answer: Members = {member: [show(row) for row in page.rows]}
    if page.last is not None:
        answer["NextMarker"] = tokens.seal(secret, question, page.last)
    return answer
