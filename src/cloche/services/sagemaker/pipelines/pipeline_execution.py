"""Executions of pipelines: started, watched, stopped, run again where they failed."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import fact
from cloche.engines.pipelines import EXECUTION, Start, Version, name_of, shown
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict, Invalid, NotFound
from cloche.foundation.ids import short_id
from cloche.services.sagemaker.paging import page_of, slice_of
from cloche.services.sagemaker.pipelines.finding import execution_at, pipeline_named
from cloche.services.sagemaker.pipelines.people import user_context
from cloche.services.sagemaker.pipelines.pipeline import NO_VERSION
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk
from cloche.storage.metadata.records import Record

ENDED: Final = fact(
    "ConflictException",
    "Pipeline execution '{arn}' is {status}: only one that is executing can be stopped.",
    source="code: the operation's errors in the model; words: Cloche's own",
)
NOT_RETRIED: Final = fact(
    "ConflictException",
    "Pipeline execution '{arn}' is {status}: only one that has failed or was stopped can be retried.",
    source="code: the operation's errors in the model; words: Cloche's own",
)
_KEPT: Final = (
    "PipelineExecutionDescription",
    "SelectiveExecutionConfig",
    "ParallelismConfiguration",
    "MlflowExperimentName",
)


@operation("StartPipelineExecution")
def start_pipeline_execution(ctx: Context, request: Members) -> Members:
    """An execution of the latest version, or of the one asked for; the same token starts it once."""
    reader = ctx.parts.database.reader
    token = request["ClientRequestToken"]
    earlier = records.find_token(reader, ctx.account, ctx.region, EXECUTION, token)
    if earlier is not None:
        return {"PipelineExecutionArn": earlier.arn}
    pipeline = pipeline_named(ctx, reader, request["PipelineName"])
    version = _version(ctx, pipeline, request)
    start = _planned(ctx, pipeline, version, request)
    arn = f"{pipeline.arn}/execution/{short_id()}"
    held = _held(ctx, request, pipeline, version, start, arn)

    def insert(tx: sqlite3.Connection) -> None:
        now = ctx.now.timestamp()
        execution = records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=EXECUTION,
            name=name_of(arn),
            arn=arn,
            at=now,
            request=held,
            token=token,
        )
        ctx.parts.pipelines.start(tx, execution, start)
        current = pipeline_named(ctx, tx, pipeline.name)
        records.set_status(tx, pipeline.arn, state={**current.state, "last_run_at": now})

    ctx.parts.database.write(insert)
    return {"PipelineExecutionArn": arn}


def _version(ctx: Context, pipeline: Record, request: Members) -> Version:
    try:
        found: Version = ctx.parts.pipelines.version(
            pipeline.arn, request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
        )
    except NotFound as error:
        raise NO_VERSION.error(what=error.message) from None
    return found


def _planned(ctx: Context, pipeline: Record, version: Version, request: Members) -> Start:
    given: dict[str, str] = {}
    for each in request.get("PipelineParameters") or ():
        if each["Name"] in given:
            raise Invalid(f"The pipeline parameter {each['Name']} is given twice", field="PipelineParameters")
        given[each["Name"]] = each["Value"]
    config = request.get("SelectiveExecutionConfig")
    source = None
    if config is not None and config.get("SourcePipelineExecutionArn"):
        source = execution_at(ctx, ctx.parts.database.reader, config["SourcePipelineExecutionArn"])
        if source.request["PipelineArn"] != pipeline.arn:
            raise Invalid(
                f"Invalid SourcePipelineExecutionArn: {source.arn} is an execution of another pipeline",
                field="SelectiveExecutionConfig",
            )
    selected = None if config is None else [each["StepName"] for each in config["SelectedSteps"]]
    planned: Start = ctx.parts.pipelines.plan(version, given, source, selected)
    return planned


def _held(ctx: Context, request: Members, pipeline: Record, version: Version, start: Start, arn: str) -> dict[str, Any]:
    """What the execution's record keeps: all that it runs with, whatever becomes of the pipeline later."""
    held = {name: request[name] for name in _KEPT if request.get(name) is not None}
    held.setdefault("ParallelismConfiguration", pipeline.request.get("ParallelismConfiguration"))
    # "execution-1690315954896": case pipe-03
    display = request.get("PipelineExecutionDisplayName") or f"execution-{int(ctx.now.timestamp() * 1000)}"
    who = user_context(ctx)
    held |= {
        "PipelineArn": pipeline.arn,
        "PipelineName": pipeline.name,
        "PipelineVersionId": version.version,
        "PipelineVersionAliases": list(version.aliases) or None,
        "PipelineExecutionDisplayName": display,
        "RoleArn": request.get("RoleArn") or pipeline.request["RoleArn"],
        "Parameters": dict(start.parameters),
        "CreatedBy": who,
        "LastModifiedBy": who,
    }
    held["PipelineExperimentConfig"] = ctx.parts.pipelines.experiment(version, held, arn, ctx.now)
    return {name: value for name, value in held.items() if value is not None}


@operation("DescribePipelineExecution", inline=True, reads=True)
def describe_pipeline_execution(ctx: Context, request: Members) -> Members:
    return view_execution(execution_at(ctx, ctx.parts.database.reader, request["PipelineExecutionArn"]))


def view_execution(record: Record) -> Members:
    members = {name: value for name, value in record.request.items() if name != "Parameters"}
    return {
        **members,
        "PipelineExecutionArn": record.arn,
        "PipelineExecutionStatus": record.status,
        "CreationTime": from_epoch(record.created_at),
        "LastModifiedTime": from_epoch(record.modified_at),
        **_failure(record, "FailureReason"),
    }


def _failure(record: Record, member: str) -> Members:
    reason = record.state.get("failure_reason")
    return {} if reason is None else {member: reason[:1300]}


@operation("ListPipelineExecutions", reads=True)
def list_pipeline_executions(ctx: Context, request: Members) -> Members:
    """Newest first unless asked otherwise."""
    pipeline = pipeline_named(ctx, ctx.parts.database.reader, request["PipelineName"])
    conditions = ["account = ?", "region = ?", "kind = ?", "name >= ?", "name < ?"]
    start = f"{pipeline.name}/execution/"
    arguments: list[Any] = [ctx.account, ctx.region, EXECUTION, start, start[:-1] + "0"]
    for member, condition in (("CreatedAfter", "created_at >= ?"), ("CreatedBefore", "created_at < ?")):
        if member in request:
            conditions.append(condition)
            arguments.append(request[member].timestamp())
    if alias := request.get("PipelineVersionAlias"):
        conditions.append("EXISTS (SELECT 1 FROM json_each(request, '$.PipelineVersionAliases') WHERE value = ?)")
        arguments.append(alias)
    key = ("created_at", "name") if request.get("SortBy", "CreationTime") == "CreationTime" else ("name",)
    descending = request.get("SortOrder", "Descending") == "Descending"
    walk = Walk("records", key, descending, tuple(conditions), tuple(arguments))
    found, token = page_of(ctx, "ListPipelineExecutions", walk, request)
    answer: Members = {"PipelineExecutionSummaries": [_summary(records.from_row(row)) for row in found]}
    return answer if token is None else {**answer, "NextToken": token}


def _summary(record: Record) -> Members:
    names = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "PipelineVersionAliases")
    return {
        "PipelineExecutionArn": record.arn,
        "StartTime": from_epoch(record.created_at),
        "PipelineExecutionStatus": record.status,
        **{name: record.request[name] for name in names if name in record.request},
        **_failure(record, "PipelineExecutionFailureReason"),
    }


@operation("UpdatePipelineExecution")
def update_pipeline_execution(ctx: Context, request: Members) -> Members:
    arn = request["PipelineExecutionArn"]

    def change(tx: sqlite3.Connection) -> None:
        record = execution_at(ctx, tx, arn)
        given = {name: value for name, value in request.items() if name != "PipelineExecutionArn"}
        kept = {**record.request, **given, "LastModifiedBy": user_context(ctx)}
        records.replace_request(tx, arn, kept, ctx.now.timestamp())

    ctx.parts.database.write(change)
    ctx.parts.reconciler.wake(arn)  # more steps may run at once now
    return {"PipelineExecutionArn": arn}


@operation("StopPipelineExecution")
def stop_pipeline_execution(ctx: Context, request: Members) -> Members:
    arn = request["PipelineExecutionArn"]

    def change(tx: sqlite3.Connection) -> None:
        record = execution_at(ctx, tx, arn)
        try:
            ctx.parts.pipelines.stop(tx, arn)
        except Conflict:
            raise ENDED.error(arn=arn, status=record.status) from None

    ctx.parts.database.write(change)
    return {"PipelineExecutionArn": arn}


@operation("RetryPipelineExecution")
def retry_pipeline_execution(ctx: Context, request: Members) -> Members:
    """The same execution goes on with what failed or was stopped; the same token retries it once."""
    arn, token = request["PipelineExecutionArn"], request["ClientRequestToken"]

    def change(tx: sqlite3.Connection) -> None:
        record = execution_at(ctx, tx, arn)
        if record.request.get("RetryToken") == token:
            return
        kept = {**record.request, "RetryToken": token, "LastModifiedBy": user_context(ctx)}
        if request.get("ParallelismConfiguration") is not None:
            kept["ParallelismConfiguration"] = request["ParallelismConfiguration"]
        try:
            ctx.parts.pipelines.retry(tx, record)
        except Conflict:
            raise NOT_RETRIED.error(arn=arn, status=record.status) from None
        records.replace_request(tx, arn, kept, ctx.now.timestamp())

    ctx.parts.database.write(change)
    return {"PipelineExecutionArn": arn}


@operation("ListPipelineParametersForExecution", reads=True)
def list_pipeline_parameters_for_execution(ctx: Context, request: Members) -> Members:
    record = execution_at(ctx, ctx.parts.database.reader, request["PipelineExecutionArn"])
    values = record.request["Parameters"]
    found, token = slice_of(ctx, "ListPipelineParametersForExecution", [record.arn], list(values), request)
    answer: Members = {"PipelineParameters": [{"Name": name, "Value": shown(values[name])} for name in found]}
    return answer if token is None else {**answer, "NextToken": token}


@operation("DescribePipelineDefinitionForExecution", reads=True)
def describe_pipeline_definition_for_execution(ctx: Context, request: Members) -> Members:
    record = execution_at(ctx, ctx.parts.database.reader, request["PipelineExecutionArn"])
    version = ctx.parts.pipelines.version(record.request["PipelineArn"], record.request["PipelineVersionId"])
    return {"PipelineDefinition": version.definition, "CreationTime": from_epoch(version.created_at)}
