"""How asynchronous invocations are tried again, and where their results go."""

from __future__ import annotations

from typing import Any

from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LATEST, EventConfig, Owner, rows
from cloche.engines.functions.registry import missing_event_config, resolve
from cloche.foundation.errors import Invalid, NotFound
from cloche.services.lambda_ import views
from cloche.services.lambda_.configuring import check_outlet
from cloche.services.lambda_.naming import named, unqualified
from cloche.services.lambda_.paging import listed


@operation("PutFunctionEventInvokeConfig")
def put_function_event_invoke_config(ctx: Context, request: Members) -> Members:
    owner, qualifier = _named(ctx, request)
    config = EventConfig(qualifier, ctx.now.timestamp(), **_changes(ctx, request))
    return views.event_config(owner, ctx.parts.functions.registry.configure_events(owner, config, changes=None))


@operation("UpdateFunctionEventInvokeConfig")
def update_function_event_invoke_config(ctx: Context, request: Members) -> Members:
    """What is not given stays as it is."""
    owner, qualifier = _named(ctx, request)
    config = EventConfig(qualifier, ctx.now.timestamp())
    changes = _changes(ctx, request)
    return views.event_config(owner, ctx.parts.functions.registry.configure_events(owner, config, changes=changes))


@operation("GetFunctionEventInvokeConfig", reads=True)
def get_function_event_invoke_config(ctx: Context, request: Members) -> Members:
    owner, qualifier = _named(ctx, request)
    held = rows.event_config(ctx.parts.database.reader, owner, qualifier)
    if held is None:
        raise missing_event_config(owner, qualifier)
    return views.event_config(owner, held)


@operation("DeleteFunctionEventInvokeConfig")
def delete_function_event_invoke_config(ctx: Context, request: Members) -> Members:
    ctx.parts.functions.registry.forget_events(*_named(ctx, request))
    return {}


@operation("ListFunctionEventInvokeConfigs", reads=True)
def list_function_event_invoke_configs(ctx: Context, request: Members) -> Members:
    owner, reader = unqualified(ctx, request), ctx.parts.database.reader
    rows.version(reader, owner, LATEST)
    return listed(
        ctx,
        request,
        ["ListFunctionEventInvokeConfigs", owner.name],
        "FunctionEventInvokeConfigs",
        lambda after, size: rows.event_configs(reader, owner, after, size),
        lambda row: views.event_config(owner, rows.event_config_of_row(row)),
    )


def _named(ctx: Context, request: Members) -> tuple[Owner, str]:
    owner, qualifier = named(ctx, request)
    return owner, qualifier or LATEST


def _changes(ctx: Context, request: Members) -> dict[str, Any]:
    """Raises ``NotSupported`` for a destination that is neither queue, topic nor function."""
    changes: dict[str, Any] = {}
    if "MaximumRetryAttempts" in request:
        changes["retries"] = request["MaximumRetryAttempts"]
    if "MaximumEventAgeInSeconds" in request:
        changes["age_seconds"] = request["MaximumEventAgeInSeconds"]
    destinations = request.get("DestinationConfig") or {}
    for member, name in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
        if member in destinations:
            changes[name] = _destination(ctx, destinations[member].get("Destination", ""))
    return changes


def _destination(ctx: Context, arn: str) -> str:
    if not arn:
        return ""
    parts = arn.split(":")
    if len(parts) < 6:
        raise Invalid(f"{arn} is not an ARN", field="DestinationConfig")
    if parts[2] == "lambda":
        if (parts[3], parts[4]) != (ctx.region, ctx.account) or len(parts) < 7:
            raise Invalid(f"The destination ARN {arn} is invalid.", field="DestinationConfig")
        try:
            resolve(
                ctx.parts.database.reader,
                Owner(ctx.account, ctx.region, parts[6]),
                parts[7] if len(parts) > 7 else LATEST,
            )
        except NotFound:
            raise Invalid(f"The destination ARN {arn} is invalid.", field="DestinationConfig") from None
        return arn
    check_outlet(arn, "DestinationConfig")
    return arn
