"""Pipelines and executions by the names and ARNs that requests give, and pages of what is theirs."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import fact, tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.engines.pipelines import EXECUTION, PIPELINE
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.pipelines.pipeline import MISSING
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

NO_EXECUTION: Final = fact(
    "ResourceNotFound",
    "Pipeline execution with ARN '{arn}' does not exist.",
    source="code: the operation's errors in the model; words: Cloche's own",
)


def pipeline_named(ctx: Context, connection: sqlite3.Connection, identifier: str) -> Record:
    """By name or ARN. Raises ``MISSING``, and ``Invalid`` for an ARN of another region."""
    name, prefix = identifier, f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:pipeline/"
    if identifier.startswith("arn:"):
        _check_region(ctx, identifier, "PipelineName")
        if not identifier.startswith(prefix):
            raise MISSING.error(arn=identifier)
        name = identifier.removeprefix(prefix)
    record = records.find(connection, ctx.account, ctx.region, PIPELINE, name)
    if record is None:
        raise MISSING.error(arn=prefix + name)
    return record


def execution_at(ctx: Context, connection: sqlite3.Connection, arn: str) -> Record:
    """Raises ``NO_EXECUTION``, and ``Invalid`` for an ARN of another region."""
    _check_region(ctx, arn, "PipelineExecutionArn")
    record = records.find_arn(connection, arn)
    if record is None or record.kind != EXECUTION or record.account != ctx.account:
        raise NO_EXECUTION.error(arn=arn)
    return record


def _check_region(ctx: Context, arn: str, field: str) -> None:
    if arn.split(":")[3] != ctx.region:
        # aws/amazon-sagemaker-examples#1444
        raise Invalid(f"ARN should be scoped to correct region: {ctx.region}", field=field)


def page_of(ctx: Context, operation: str, walk: Walk, request: Members) -> tuple[list[sqlite3.Row], str | None]:
    """A page of ``walk``, and the token of the next."""
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = [operation, ctx.account, ctx.region, walk.descending, list(walk.key), list(walk.arguments)]
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
