"""Pipelines: a definition under a name, of which every change is a version."""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar, Final

from cloche.aws.operation import Context, Kept, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.pipelines import add_version, executions_of, set_aliases, touch_version
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict, Invalid, NotFound
from cloche.services.sagemaker.pipelines.arguments import check_arguments
from cloche.services.sagemaker.pipelines.definitions import TEXT, with_definition
from cloche.services.sagemaker.pipelines.people import user_context
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

ACTIVE: Final = "Active"
MISSING: Final = fact(
    "ResourceNotFound",
    "Pipeline '{arn}' does not exist.",
    source="code: the operation's errors in the model; words: Cloche's own",
)
RUNNING: Final = fact(
    "ConflictException",
    "Pipeline '{name}' cannot be deleted: {execution} has not ended. Stop it first.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeletePipeline.html; words: Cloche's own",
)
NO_VERSION: Final = fact(
    "ResourceNotFound",
    "{what}",
    source="code: the operation's errors in the model; words: Cloche's own",
)


class Pipeline(Resource):
    """A graph of steps, ready to be executed."""

    operations: ClassVar = ("CreatePipeline", "DescribePipeline", "ListPipelines", "UpdatePipeline", "DeletePipeline")
    arn: ClassVar = "pipeline/{PipelineName}"
    status: ClassVar = "PipelineStatus"
    listed_by: ClassVar[tuple[str, str]] = ("CreatedTime", "Descending")
    filters: ClassVar = {"PipelineNamePrefix": "instr(name, ?) = 1", "ManagedBy": "? = 'CUSTOMER'"}
    missing: ClassVar[Fact] = MISSING
    # The code and both wordings: aws/sagemaker-python-sdk#6256. SDKs of before look for "already exists".
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        "Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists.",
        source="aws/sagemaker-python-sdk#6256",
    )

    def create(self, ctx: Context, request: Members) -> Members:
        return super().create(ctx, with_definition(ctx, request))

    def check(self, ctx: Context, request: Members) -> None:
        if not request.get(TEXT):
            raise Invalid("One of PipelineDefinition and PipelineDefinitionS3Location must be given.", field=TEXT)
        check_arguments(ctx.parts.pipelines.check(request[TEXT]))

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        aliases = request.get("PipelineVersionAliases") or []
        who = user_context(ctx)
        number = add_version(tx, record.account, record.arn, request[TEXT], record.created_at, aliases, who)
        state = {"version": number, "created_by": who, "modified_by": who}
        records.set_status(tx, record.arn, ACTIVE, state=state)

    def update(self, ctx: Context, request: Members) -> Members:
        request = with_definition(ctx, request)
        if request.get(TEXT):
            self.check(ctx, request)
        answer = super().update(ctx, request)
        record = self.find(ctx, ctx.parts.database.reader, self.identify(ctx, request))
        return {**answer, "PipelineVersionId": record.state.get("version", 1)}

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        who, now = user_context(ctx), ctx.now.timestamp()
        state: dict[str, Any] = {**record.state, "modified_by": who}
        aliases = request.get("PipelineVersionAliases")
        if request.get(TEXT) and request[TEXT] != record.request[TEXT]:
            state["version"] = add_version(tx, record.account, record.arn, request[TEXT], now, aliases or [], who)
        elif aliases is not None:
            set_aliases(tx, record.arn, state["version"], aliases)
            touch_version(tx, record.arn, state["version"], now, who)
        records.set_status(tx, record.arn, state=state)
        return super().updated(ctx, tx, record, request)

    def describe(self, ctx: Context, request: Members) -> Kept | Members:  # type: ignore[override]
        number, alias = request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
        if number is None and alias is None:
            return super().describe(ctx, request)
        record = self.find(ctx, ctx.parts.database.reader, self.identify(ctx, request))
        try:
            version = ctx.parts.pipelines.version(record.arn, number, alias)
        except NotFound as error:
            raise NO_VERSION.error(what=error.message) from None
        shown = {
            **self._members(record, self.shown(ctx, record)),
            TEXT: version.definition,
            "PipelineVersionDisplayName": version.display_name or None,
            "PipelineVersionDescription": version.description or None,
            "PipelineVersionAliases": list(version.aliases) or None,
        }
        described: Members = self._description(shown)
        return described

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        found = list(executions_of(tx, record.account, record.region, record.name))
        try:
            ctx.parts.pipelines.forget(tx, record.arn, [arn for arn, _ in found])
        except Conflict as error:
            raise RUNNING.error(name=record.name, execution=error.message.split(" ")[0]) from None
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        started = record.state.get("last_run_at")
        return {
            "CreatedBy": record.state.get("created_by"),
            "LastModifiedBy": record.state.get("modified_by"),
            "LastRunTime": None if started is None else from_epoch(started),
            "LastExecutionTime": None if started is None else from_epoch(started),
        }
