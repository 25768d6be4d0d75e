"""Event source mappings of queues; other sources are refused by name."""

from __future__ import annotations

import uuid
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LATEST, rows
from cloche.engines.functions.mappings import NOTHING_YET, SourceMapping, of_row
from cloche.engines.functions.registry import resolve
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.lambda_.naming import named
from cloche.services.lambda_.paging import listed

SMALL_BATCH: Final = 10
"""API_CreateEventSourceMapping.html: more needs a window, and FIFO queues take no more."""
_REFUSED: Final = (
    *("FilterCriteria", "KMSKeyArn", "MetricsConfig", "LoggingConfig", "DestinationConfig", "Tags"),
    *("ParallelizationFactor", "StartingPosition", "StartingPositionTimestamp", "MaximumRecordAgeInSeconds"),
    *("BisectBatchOnFunctionError", "MaximumRetryAttempts", "TumblingWindowInSeconds", "Topics", "Queues"),
    *("SourceAccessConfigurations", "SelfManagedEventSource", "AmazonManagedKafkaEventSourceConfig"),
    *("SelfManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "ProvisionedPollerConfig"),
)


@operation("CreateEventSourceMapping")
def create_event_source_mapping(ctx: Context, request: Members) -> Members:
    owner, qualifier = named(ctx, request)
    version, _ = resolve(ctx.parts.database.reader, owner, qualifier or LATEST)
    arn = _queue(ctx, request)
    mappings = ctx.parts.functions.mappings
    changes = _changes(request, arn)
    visibility = mappings.sources.visibility_seconds(arn)
    if visibility < version.configuration.timeout_seconds:
        raise Invalid(
            f"Queue visibility timeout: {visibility} seconds is less than Function timeout: "
            f"{version.configuration.timeout_seconds} seconds"
        )
    same = mappings.listed(ctx.account, ctx.region, arn, owner.name, None, 1).rows
    if same:
        raise AwsError(
            "ResourceConflictException",
            f'An event source mapping with SQS arn (" {arn} ") and function (" {owner.name} ") already exists. Please '
            f"update or delete the existing mapping with UUID {same[0]['id']}",
            409,
            fields={"Type": "User"},
        )
    held = SourceMapping(str(uuid.uuid4()), owner, qualifier or LATEST, arn, ctx.now.timestamp(), **changes)
    mappings.put(held)
    return _shown(ctx, held, "Creating")


@operation("GetEventSourceMapping", reads=True)
def get_event_source_mapping(ctx: Context, request: Members) -> Members:
    return _shown(ctx, _held(ctx, request))


@operation("UpdateEventSourceMapping")
def update_event_source_mapping(ctx: Context, request: Members) -> Members:
    held = _held(ctx, request)
    changes = _changes(request, held.source, held)
    if "FunctionName" in request:
        owner, qualifier = named(ctx, request)
        resolve(ctx.parts.database.reader, owner, qualifier or LATEST)
        changes |= {"owner": owner, "qualifier": qualifier or LATEST}
    return _shown(ctx, ctx.parts.functions.mappings.change(held, changes), "Updating")


@operation("DeleteEventSourceMapping")
def delete_event_source_mapping(ctx: Context, request: Members) -> Members:
    held = _held(ctx, request)
    ctx.parts.functions.mappings.delete(held)
    return _shown(ctx, held, "Deleting")


@operation("ListEventSourceMappings", reads=True)
def list_event_source_mappings(ctx: Context, request: Members) -> Members:
    source, function = request.get("EventSourceArn", ""), ""
    if request.get("FunctionName"):
        owner, _ = named(ctx, request)
        rows.version(ctx.parts.database.reader, owner, LATEST)
        function = owner.name
    mappings = ctx.parts.functions.mappings
    return listed(
        ctx,
        request,
        ["ListEventSourceMappings", source, function],
        "EventSourceMappings",
        lambda after, size: mappings.listed(ctx.account, ctx.region, source, function, after, size),
        lambda row: _shown(ctx, of_row(row)),
    )


def _held(ctx: Context, request: Members) -> SourceMapping:
    held: SourceMapping = ctx.parts.functions.mappings.get(ctx.account, ctx.region, request["UUID"])
    return held


def _queue(ctx: Context, request: Members) -> str:
    """The ARN of a queue that is there. Raises ``NotSupported`` for any other source."""
    arn = str(request.get("EventSourceArn") or "")
    if not arn:
        raise Invalid("EventSourceArn is required.", field="EventSourceArn")
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[2] != "sqs":
        raise NotSupported(
            f"CreateEventSourceMapping does not support {arn} in Cloche: queues of Amazon SQS are polled"
        )
    if (parts[3], parts[4]) != (ctx.region, ctx.account):
        raise NotSupported(
            f"CreateEventSourceMapping does not support {arn} in Cloche: it is another account's or region's"
        )
    try:
        ctx.parts.functions.mappings.sources.visibility_seconds(arn)
    except NotFound:
        raise Invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error "
            "Message: The specified queue does not exist."
        ) from None
    return arn


def _changes(request: Members, source: str, held: SourceMapping | None = None) -> dict[str, Any]:
    for member in _REFUSED:
        if request.get(member):
            raise NotSupported(f"Event source mappings of queues do not support {member} in Cloche")
    changes: dict[str, Any] = {}
    members = (
        ("BatchSize", "batch_size"),
        ("MaximumBatchingWindowInSeconds", "window_seconds"),
        ("Enabled", "enabled"),
    )
    for member, name in members:
        if member in request:
            changes[name] = request[member]
    if "FunctionResponseTypes" in request:
        changes["tells_failures"] = "ReportBatchItemFailures" in request["FunctionResponseTypes"]
    if "ScalingConfig" in request:
        changes["concurrency_max"] = request["ScalingConfig"].get("MaximumConcurrency", 0)
    window = changes.get("window_seconds", held.window_seconds if held else 0)
    size = changes.get("batch_size", held.batch_size if held else SMALL_BATCH)
    if source.endswith(".fifo") and (size > SMALL_BATCH or window):
        raise Invalid("FIFO queues take batches of 10 messages at most, and no batching window.", field="BatchSize")
    if size > SMALL_BATCH and not window:
        raise Invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            field="BatchSize",
        )
    return changes


def _shown(ctx: Context, held: SourceMapping, state: str = "") -> Members:
    shown: Members = {
        "UUID": held.id,
        "EventSourceMappingArn": f"arn:aws:lambda:{ctx.region}:{ctx.account}:event-source-mapping:{held.id}",
        "EventSourceArn": held.source,
        "FunctionArn": held.function_arn,
        "BatchSize": held.batch_size,
        "MaximumBatchingWindowInSeconds": held.window_seconds,
        "LastModified": from_epoch(held.modified_at),
        "State": state or ("Enabled" if held.enabled else "Disabled"),
        "StateTransitionReason": "USER_INITIATED",
        "LastProcessingResult": ctx.parts.functions.mappings.results.get(held.id, NOTHING_YET),
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if held.tells_failures else [],
    }
    if held.concurrency_max:
        shown["ScalingConfig"] = {"MaximumConcurrency": held.concurrency_max}
    return shown
