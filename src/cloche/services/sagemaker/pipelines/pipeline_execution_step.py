"""Steps of an execution as they begin and end, and answers to those that wait for one."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import fact
from cloche.engines.pipelines import STEP
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, NotFound
from cloche.services.sagemaker.paging import page_of
from cloche.services.sagemaker.pipelines.finding import execution_at
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk
from cloche.storage.metadata.records import Record

NO_TOKEN: Final = fact(
    "ResourceNotFound",
    "{what}",
    source="code: the operation's errors in the model; words: Cloche's own",
)
REASON_CHARACTERS_MAX: Final = 1_024


@operation("ListPipelineExecutionSteps", reads=True)
def list_pipeline_execution_steps(ctx: Context, request: Members) -> Members:
    """Those that have begun, the newest first unless asked otherwise."""
    if "PipelineExecutionArn" not in request:
        raise Invalid("PipelineExecutionArn must be given.", field="PipelineExecutionArn")
    execution = execution_at(ctx, ctx.parts.database.reader, request["PipelineExecutionArn"])
    start = execution.name + "/step/"
    descending = request.get("SortOrder", "Descending") == "Descending"
    conditions = ("account = ?", "region = ?", "kind = ?", "name >= ?", "name < ?")
    arguments = (ctx.account, ctx.region, STEP, start, start[:-1] + "0")
    walk = Walk("records", ("created_at", "id"), descending, conditions, arguments)
    found, token = page_of(ctx, "ListPipelineExecutionSteps", walk, request)
    answer: Members = {"PipelineExecutionSteps": [_step(records.from_row(row)) for row in found]}
    return answer if token is None else {**answer, "NextToken": token}


def _step(record: Record) -> Members:
    state = record.state
    members: dict[str, Any] = {
        "StepName": record.request["StepName"],
        "StepDisplayName": record.request.get("StepDisplayName"),
        "StepDescription": record.request.get("StepDescription"),
        "StartTime": from_epoch(state["started_at"]),
        "EndTime": None if "ended_at" not in state else from_epoch(state["ended_at"]),
        "StepStatus": record.status,
        "AttemptCount": state.get("attempt", 0),
        "FailureReason": (state.get("failure_reason") or "")[:REASON_CHARACTERS_MAX] or None,
        "Metadata": state.get("metadata"),
    }
    for member, name in (("CacheHitResult", "cache_hit"), ("SelectiveExecutionResult", "reused_from")):
        if state.get(name):
            members[member] = {"SourcePipelineExecutionArn": state[name]}
    return {name: value for name, value in members.items() if value is not None}


@operation("SendPipelineExecutionStepSuccess")
def send_pipeline_execution_step_success(ctx: Context, request: Members) -> Members:
    outputs = {each["Name"]: each["Value"] for each in request.get("OutputParameters") or ()}
    return _answer(ctx, request["CallbackToken"], outputs, "")


@operation("SendPipelineExecutionStepFailure")
def send_pipeline_execution_step_failure(ctx: Context, request: Members) -> Members:
    return _answer(ctx, request["CallbackToken"], None, request.get("FailureReason", ""))


def _answer(ctx: Context, token: str, outputs: dict[str, str] | None, reason: str) -> Members:
    def change(tx: sqlite3.Connection) -> str:
        try:
            arn: str = ctx.parts.pipelines.answer(tx, ctx.account, token, outputs, reason)
        except NotFound as error:
            raise NO_TOKEN.error(what=error.message) from None
        return arn

    return {"PipelineExecutionArn": ctx.parts.database.write(change)}
