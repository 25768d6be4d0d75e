"""Export jobs of model cards: one version as a PDF in S3. They are a card's own, so their ARNs continue the card's."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import fact, tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.engines.model_cards import ExportPlan
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Invalid
from cloche.services.sagemaker.registry.export_records import KIND, of_card
from cloche.services.sagemaker.registry.model_card import find_card, find_version
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

# The codes are those the model lists for the operations; the words are not on record.
_API: Final = "docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelCardExportJob.html"
DUPLICATE: Final = fact("ConflictException", "ModelCardExportJob {arn} already exists.", source=_API)
MISSING: Final = fact("ResourceNotFound", "ModelCardExportJob {arn} does not exist.", source=_API)
_CONDITIONS: Final = {
    "ModelCardVersion": "json_extract(request, '$.ModelCardVersion') = ?",
    "CreationTimeAfter": "created_at >= ?",
    "CreationTimeBefore": "created_at < ?",
    "ModelCardExportJobNameContains": "instr(substr(name, instr(name, '/') + 1), ?) > 0",
    "StatusEquals": "status = ?",
}
_ORDERS: Final = {"Name": ("name",), "CreationTime": ("created_at", "name"), "Status": ("status", "created_at", "name")}


@operation("CreateModelCardExportJob")
def create_model_card_export_job(ctx: Context, request: Members) -> Members:
    bucket, prefix = _address(request["OutputConfig"]["S3OutputPath"])
    name = request["ModelCardExportJobName"]

    def insert(tx: sqlite3.Connection) -> str:
        card = find_card(ctx, tx, request["ModelCardName"])
        version = find_version(ctx, tx, card.arn, request.get("ModelCardVersion"))
        arn = f"{card.arn}/export-job/{name}"
        kept = {**request, "ModelCardName": card.name, "ModelCardVersion": version.version}
        try:
            records.insert(
                tx,
                account=ctx.account,
                region=ctx.region,
                kind=KIND,
                name=f"{card.name}/{name}",
                arn=arn,
                at=ctx.now.timestamp(),
                request=kept,
            )
        except AlreadyExists:
            raise DUPLICATE.error(arn=arn) from None
        plan = ExportPlan(
            arn=arn,
            account=ctx.account,
            name=name,
            card=card.name,
            version=version.version,
            status=version.status,
            content=version.content,
            written_at=version.created_at,
            bucket=bucket,
            prefix=prefix,
        )
        ctx.parts.card_exports.submit(tx, plan)
        return arn

    return {"ModelCardExportJobArn": ctx.parts.database.write(insert)}


@operation("DescribeModelCardExportJob", reads=True)
def describe_model_card_export_job(ctx: Context, request: Members) -> Members:
    arn = request["ModelCardExportJobArn"]
    record = records.find_arn(ctx.parts.database.reader, arn)
    if record is None or record.kind != KIND or (record.account, record.region) != (ctx.account, ctx.region):
        raise MISSING.error(arn=arn)
    artifact, failure = record.state.get("artifact"), record.state.get("failure")
    return {
        **_summary(record),
        "OutputConfig": record.request["OutputConfig"],
        **({"ExportArtifacts": {"S3ExportArtifacts": artifact}} if artifact else {}),
        **({"FailureReason": failure} if failure else {}),
    }


@operation("ListModelCardExportJobs", reads=True)
def list_model_card_export_jobs(ctx: Context, request: Members) -> Members:
    """Newest first, unless asked otherwise."""
    reader = ctx.parts.database.reader
    card = find_card(ctx, reader, request["ModelCardName"])
    asked = [(_CONDITIONS[name], _argument(request[name])) for name in _CONDITIONS if name in request]
    order, descending = request.get("SortBy", "CreationTime"), request.get("SortOrder", "Descending") == "Descending"
    question: list[Any] = ["ListModelCardExportJobs", card.arn, order, descending, asked]
    secret = records.page_secret(reader)
    token = request.get("NextToken")
    walk = Walk(
        "records",
        _ORDERS[order],
        descending,
        ("account = ?", "region = ?", "kind = ?", "name > ?", "name < ?", *(condition for condition, _ in asked)),
        (ctx.account, ctx.region, KIND, *of_card(card.name), *(argument for _, argument in asked)),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("MaxResults", PAGE_DEFAULT))
    summaries = [_summary(records.from_row(row)) for row in page.rows]
    answer: Members = {"ModelCardExportJobSummaries": summaries}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _summary(record: Record) -> Members:
    return {
        "ModelCardExportJobName": record.name.rpartition("/")[2],
        "ModelCardExportJobArn": record.arn,
        "Status": record.status,
        "ModelCardName": record.request["ModelCardName"],
        "ModelCardVersion": record.request["ModelCardVersion"],
        "CreatedAt": from_epoch(record.created_at),
        "LastModifiedAt": from_epoch(record.modified_at),
    }


def _address(url: str) -> tuple[str, str]:
    """Bucket and prefix. Raises ``Invalid`` for what is no address in S3."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise Invalid(f"S3OutputPath {url} is not an address of the form s3://bucket/prefix.", field="S3OutputPath")
    return bucket, prefix.strip("/")


def _argument(value: Any) -> Any:
    return value.timestamp() if hasattr(value, "timestamp") else value
