"""Versions of pipelines: every changed definition is one; names and aliases may be given to them later."""

from __future__ import annotations

import sqlite3
from typing import Final

import orjson

from cloche.aws.operation import Context, Members, operation
from cloche.engines.pipelines import PIPELINE, Version, set_aliases, touch_version, versions_of
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.paging import page_of
from cloche.services.sagemaker.pipelines.finding import pipeline_named
from cloche.services.sagemaker.pipelines.people import user_context
from cloche.services.sagemaker.pipelines.pipeline import MISSING, NO_VERSION
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk

ALIASES_MAX: Final = 10


@operation("ListPipelineVersions", reads=True)
def list_pipeline_versions(ctx: Context, request: Members) -> Members:
    """Newest first unless asked otherwise."""
    pipeline = pipeline_named(ctx, ctx.parts.database.reader, request["PipelineName"])
    conditions, arguments = ["pipeline = ?"], [pipeline.arn]
    for member, condition in (("CreatedAfter", "created_at >= ?"), ("CreatedBefore", "created_at < ?")):
        if member in request:
            conditions.append(condition)
            arguments.append(request[member].timestamp())
    descending = request.get("SortOrder", "Descending") == "Descending"
    walk = Walk("pipeline_versions", ("version",), descending, tuple(conditions), tuple(arguments))
    page, token = page_of(ctx, "ListPipelineVersions", walk, request)
    found = {each.version: each for each in versions_of(ctx.parts.database.reader, pipeline.arn)}
    answer: Members = {"PipelineVersionSummaries": [_summary(found[row["version"]]) for row in page]}
    return answer if token is None else {**answer, "NextToken": token}


def _summary(version: Version) -> Members:
    members = {
        "PipelineArn": version.pipeline,
        "PipelineVersionId": version.version,
        "CreationTime": from_epoch(version.created_at),
        "PipelineVersionDescription": version.description or None,
        "PipelineVersionDisplayName": version.display_name or None,
        "LastExecutionPipelineExecutionArn": version.last_execution,
        "PipelineVersionAliases": list(version.aliases) or None,
    }
    return {name: value for name, value in members.items() if value is not None}


@operation("UpdatePipelineVersion")
def update_pipeline_version(ctx: Context, request: Members) -> Members:
    """Name, description and aliases of one version."""
    arn, number = request["PipelineArn"], request["PipelineVersionId"]

    def change(tx: sqlite3.Connection) -> None:
        record = records.find_arn(tx, arn)
        if record is None or record.kind != PIPELINE or record.account != ctx.account:
            raise MISSING.error(arn=arn)
        version = next((each for each in versions_of(tx, arn) if each.version == number), None)
        if version is None:
            raise NO_VERSION.error(what=f"Pipeline '{arn}' has no version {number}.")
        tx.execute(
            "UPDATE pipeline_versions SET display_name = ?, description = ? WHERE pipeline = ? AND version = ?",
            (
                request.get("PipelineVersionDisplayName", version.display_name),
                request.get("PipelineVersionDescription", version.description),
                arn,
                number,
            ),
        )
        touch_version(tx, arn, number, ctx.now.timestamp(), user_context(ctx))
        _change_aliases(tx, version, request.get("PipelineVersionAliasOperations") or {})

    ctx.parts.database.write(change)
    return {"PipelineArn": arn, "PipelineVersionId": number}


def _change_aliases(tx: sqlite3.Connection, version: Version, operations: Members) -> None:
    removed = operations.get("Remove") or []
    unknown = [alias for alias in removed if alias not in version.aliases]
    if unknown:
        raise Invalid(f"Version {version.version} has no alias {orjson.dumps(unknown).decode()}", field="Remove")
    kept = [alias for alias in version.aliases if alias not in removed]
    aliases = [*kept, *[alias for alias in operations.get("Add") or [] if alias not in kept]]
    if len(aliases) > ALIASES_MAX:
        raise Invalid(f"A version may have at most {ALIASES_MAX} aliases", field="Add")
    set_aliases(tx, version.pipeline, version.version, aliases)
