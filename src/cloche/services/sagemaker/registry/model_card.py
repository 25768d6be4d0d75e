"""Model cards: what people say of a model, in AWS's schema. Every content is a version of its own.

"Any edits other than an approval status update made to a model card result in additional model card versions in order
to have an immutable record of model changes" (docs.aws.amazon.com/sagemaker/latest/dg/model-cards.html).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final

from cloche.aws.operation import Context, Kept, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.model_cards import CardVersion, versions
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict, Invalid, NotSupported
from cloche.services.sagemaker.registry.export_records import export_names
from cloche.services.sagemaker.registry.model_card_content import about_of, check_card, metadata_of
from cloche.services.sagemaker.registry.people import by
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

# The codes are those that the model lists for these operations; the words are not on record.
_API: Final = "docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelCard.html#API_UpdateModelCard_Errors"
MISSING: Final = fact("ResourceNotFound", "ModelCard {arn} does not exist.", source=_API)
NO_VERSION: Final = fact("ResourceNotFound", "ModelCard {arn} has no version {name}.", source=_API)
ARCHIVED: Final = fact(
    "ConflictException",
    "ModelCard {arn} is archived: no more updates can be made to it.",
    source="docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelCard.html (ModelCardStatus)",
)


class ModelCard(Resource):
    """The newest version of what is said of a model. Earlier ones stay as they were."""

    operations: ClassVar = (
        "CreateModelCard",
        "DescribeModelCard",
        "ListModelCards",
        "UpdateModelCard",
        "DeleteModelCard",
    )
    arn: ClassVar = "model-card/{ModelCardName}"
    status: ClassVar = "ModelCardStatus"
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = fact("ConflictException", "ModelCard {arn} already exists.", source=_API)
    filters: ClassVar[Mapping[str, str]] = {"ModelCardStatus": "status = ?"}

    def check(self, ctx: Context, request: Members) -> None:
        if (request.get("SecurityConfig") or {}).get("KmsKeyId"):
            raise NotSupported("SecurityConfig (encryption with a KMS key) is not supported by Cloche yet.")
        check_card(request["Content"])

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        self._write(ctx, tx, record, request["ModelCardStatus"], request["Content"], {"by": by(ctx)})

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        status, content = request.get("ModelCardStatus"), request.get("Content")
        if record.status == "Archived":
            raise ARCHIVED.error(arn=record.arn)
        if status is not None and content is not None:
            # "You cannot update both model card content and model card status in a single call" (API_UpdateModelCard)
            raise Invalid("Content and ModelCardStatus cannot be updated in a single call.", field="ModelCardStatus")
        if content is not None:
            check_card(content)
            self._write(ctx, tx, record, record.status, content, {**record.state, "modified_by": by(ctx)})
            return {**record.request, "Content": content}
        if status is not None:
            at = ctx.now.timestamp()
            versions.set_status(tx, record.arn, record.state["version"], status, by(ctx), at)
            state = {**record.state, "modified_by": by(ctx)}
            records.set_status(tx, record.arn, status, at, state=state)
            return {**record.request, "ModelCardStatus": status}
        return record.request

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        for name in export_names(tx, record):
            arn = f"{record.arn}/export-job/{name}"
            try:
                ctx.parts.card_exports.delete(tx, arn)
            except Conflict:
                raise Conflict(f"ModelCard {record.arn} is being exported by {name}.") from None
            records.remove(tx, arn)
        versions.remove(tx, record.arn)
        records.remove(tx, record.arn)

    def describe(self, ctx: Context, request: Members) -> Kept:
        answer = super().describe(ctx, request)
        number, included = request.get("ModelCardVersion"), request.get("IncludedData")
        if number is None and included != "MetadataOnly":
            return answer
        members = dict(answer.members)
        if number is not None:
            members |= _told(find_version(ctx, ctx.parts.database.reader, members["ModelCardArn"], number))
        if included == "MetadataOnly":
            members["Content"] = json.dumps(metadata_of(json.loads(members["Content"])))
        return Kept(lambda: members)

    def shown(self, ctx: Context, record: Record) -> Members:
        state = record.state
        return {
            "ModelCardVersion": state.get("version"),
            **state.get("about", {}),
            "CreatedBy": state.get("by"),
            "LastModifiedBy": state.get("modified_by") or state.get("by"),
        }

    def _write(
        self,
        ctx: Context,
        tx: sqlite3.Connection,
        record: Record,
        status: str,
        content: str,
        state: Mapping[str, Any],
    ) -> None:
        at = ctx.now.timestamp()
        number = versions.add(tx, ctx.account, record.arn, status, content, by(ctx), at)
        about = about_of(json.loads(content))
        records.set_status(tx, record.arn, status, at, state={**state, "version": number, "about": about})


def find_card(ctx: Context, connection: sqlite3.Connection, name_or_arn: str) -> Record:
    """Raises ``MISSING``."""
    return _noun().find(ctx, connection, _noun().identify(ctx, {"ModelCardName": name_or_arn}))


def find_version(ctx: Context, connection: sqlite3.Connection, arn: str, number: int | None) -> CardVersion:
    """The newest where no number is given. Raises ``NO_VERSION``."""
    found = versions.find(connection, arn, number)
    if found is None:
        raise NO_VERSION.error(arn=arn, name=str(number))
    return found


def _told(version: CardVersion) -> Members:
    return {
        "ModelCardVersion": version.version,
        "ModelCardStatus": version.status,
        "Content": version.content,
        "LastModifiedTime": from_epoch(version.modified_at),
        "LastModifiedBy": version.modified_by,
    }


@cache
def _noun() -> ModelCard:
    return ModelCard()
