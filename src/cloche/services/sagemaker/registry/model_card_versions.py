"""The versions of a model card, page by page."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.engines.model_cards import versions
from cloche.foundation.clock import from_epoch
from cloche.services.sagemaker.registry.model_card import find_card
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page

_CONDITIONS: Final = {
    "ModelCardStatus": "status = ?",
    "CreationTimeAfter": "created_at >= ?",
    "CreationTimeBefore": "created_at < ?",
}


@operation("ListModelCardVersions", reads=True)
def list_model_card_versions(ctx: Context, request: Members) -> Members:
    """Newest first, unless asked otherwise."""
    reader = ctx.parts.database.reader
    card = find_card(ctx, reader, request["ModelCardName"])
    asked = [(_CONDITIONS[name], _argument(request[name])) for name in _CONDITIONS if name in request]
    descending = request.get("SortOrder", "Descending") == "Descending"
    question: list[Any] = ["ListModelCardVersions", card.arn, descending, asked]
    secret = records.page_secret(reader)
    token = request.get("NextToken")
    walk = Walk(
        "model_card_versions",
        ("version",),
        descending,
        ("arn = ?", *(condition for condition, _ in asked)),
        (card.arn, *(argument for _, argument in asked)),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("MaxResults", PAGE_DEFAULT))
    summaries = [
        {
            "ModelCardName": card.name,
            "ModelCardArn": card.arn,
            "ModelCardStatus": found.status,
            "ModelCardVersion": found.version,
            "CreationTime": from_epoch(found.created_at),
            "LastModifiedTime": from_epoch(found.modified_at),
        }
        for found in map(versions.from_row, page.rows)
    ]
    answer: Members = {"ModelCardVersionSummaryList": summaries}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _argument(value: Any) -> Any:
    return value.timestamp() if hasattr(value, "timestamp") else value
