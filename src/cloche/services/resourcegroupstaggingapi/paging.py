"""Tokens of this API's pages: where the page before ended, sealed for the question it answered."""

from __future__ import annotations

from typing import Any

from cloche.aws.operation import Context
from cloche.aws.resource import tokens
from cloche.foundation.errors import Invalid
from cloche.storage.metadata import records


def position(ctx: Context, question: Any, given: str | None) -> str | None:
    """``None`` for the first page. Raises ``Invalid`` for a token that was not made here for this question."""
    if not given:
        return None
    try:
        return str(tokens.unseal(records.page_secret(ctx.parts.database.reader), question, given)[0])
    except Invalid:
        raise Invalid("PaginationToken is not valid for this request", field="PaginationToken") from None


def token(ctx: Context, question: Any, after: str) -> str:
    return tokens.seal(records.page_secret(ctx.parts.database.reader), question, (after,))
