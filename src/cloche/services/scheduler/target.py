"""What a schedule may invoke: templated targets, which have parameters of their own, and universal ones, any operation.

docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html, managing-targets-universal.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.operation import Context
from cloche.engines.events.addresses import require_address
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.scheduler.naming import group_arn

PRINCIPAL: Final = "scheduler.amazonaws.com"
UNIVERSAL: Final = "arn:aws:scheduler:::aws-sdk:"
_NOT_DONE: Final = (
    *("EcsParameters", "KinesisParameters"),
    *("EventBridgePutEventsV2Parameters", "EventBridgePutRawEventsParameters"),
)
_RETRIES: Final = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
"""API_RetryPolicy.html: what holds where nothing is said."""


def checked_target(ctx: Context, group: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """With what AWS adds to it. Raises ``Invalid``, and ``NotSupported`` for what Cloche invokes nothing of."""
    for member in _NOT_DONE:
        if target.get(member):
            raise NotSupported(f"Targets with {member} are not supported in Cloche")
    if not ctx.parts.identity.trusts(
        target["RoleArn"], PRINCIPAL, source_arn=group_arn(ctx, group), account=ctx.account
    ):
        # hashicorp/terraform-provider-aws waits for this sentence
        raise Invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
    arn, input = target["Arn"], target.get("Input")
    if arn.startswith(UNIVERSAL):
        ctx.parts.events.calls.require(arn, input)
    else:
        _require_templated(ctx, target)
    return {**target, "RetryPolicy": {**_RETRIES, **(target.get("RetryPolicy") or {})}}


def _require_templated(ctx: Context, target: Mapping[str, Any]) -> None:
    arn, input = target["Arn"], target.get("Input")
    service = require_address(arn, ctx.account, ctx.region, ctx.parts.events.target_services - {"logs"})
    if service == "sqs" and arn.endswith(".fifo") and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise Invalid("SqsParameters.MessageGroupId must be specified for a FIFO queue.")
    if service != "events":
        return
    if not target.get("EventBridgeParameters"):
        raise Invalid("EventBridgeParameters must be specified for an event bus.")
    try:
        is_object = isinstance(json.loads(input or "null"), dict)
    except (ValueError, RecursionError):
        is_object = "<aws.scheduler." in (input or "")  # it is an object once that is filled in, or no event
    if not is_object:
        raise Invalid("Input must be a JSON object for an event bus: it is the detail of the event.")
