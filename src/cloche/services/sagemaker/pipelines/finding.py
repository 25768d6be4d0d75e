"""Pipelines and executions by the names and ARNs that requests give."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context
from cloche.aws.resource import fact
from cloche.engines.pipelines import EXECUTION, PIPELINE
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.pipelines.pipeline import MISSING
from cloche.storage.metadata import records
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
