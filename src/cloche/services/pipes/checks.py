"""What a pipe may be: a queue as its source, a function as its enrichment, and as target whatever takes events.

Limits: docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html, the same as Lambda's of queues.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.operation import Context
from cloche.engines.events import compile_pattern
from cloche.engines.events.addresses import require_address
from cloche.engines.events.pipe_plan import require_template
from cloche.foundation.errors import Invalid, NotSupported

PRINCIPAL: Final = "pipes.amazonaws.com"
FIFO_BATCH_MAX: Final = 10
UNWINDOWED_BATCH_MAX: Final = 10
_SOURCES: Final = (
    *("KinesisStreamParameters", "DynamoDBStreamParameters", "ActiveMQBrokerParameters", "RabbitMQBrokerParameters"),
    *("ManagedStreamingKafkaParameters", "SelfManagedKafkaParameters"),
)
_TARGETS: Final = (
    *("StepFunctionStateMachineParameters", "KinesisStreamParameters", "EcsTaskParameters", "BatchJobParameters"),
    *("HttpParameters", "RedshiftDataParameters", "TimestreamParameters"),
)


def require_sound(ctx: Context, pipe: Mapping[str, Any]) -> None:
    """``pipe``: all members of the request that made it, as they are to be. Raises ``Invalid``, ``NotSupported``."""
    for member in ("LogConfiguration", "KmsKeyIdentifier"):
        if pipe.get(member):
            raise NotSupported(f"Pipes with {member} are not supported in Cloche")
    if not ctx.parts.identity.trusts(pipe["RoleArn"], PRINCIPAL, account=ctx.account):
        raise Invalid(f"The role {pipe['RoleArn']} must allow {PRINCIPAL} to assume it.")
    _require_source(ctx, pipe["Source"], pipe.get("SourceParameters") or {})
    _require_enrichment(ctx, pipe.get("Enrichment") or "", pipe.get("EnrichmentParameters") or {})
    _require_target(ctx, pipe["Target"], pipe.get("TargetParameters") or {})


def _require_source(ctx: Context, source: str, parameters: Mapping[str, Any]) -> None:
    arn = Arn.try_parse(source)
    if arn is None or arn.service != "sqs":
        raise NotSupported(f"Cloche's pipes take messages from SQS queues only, not from {source}.")
    if (arn.account, arn.region) != (ctx.account, ctx.region):
        raise NotSupported(f"Cloche's pipes take messages from queues of their own account and Region, not {source}.")
    _refuse(parameters, _SOURCES)
    of_queue = parameters.get("SqsQueueParameters") or {}
    size, window = of_queue.get("BatchSize") or 0, of_queue.get("MaximumBatchingWindowInSeconds") or 0
    if arn.resource.endswith(".fifo") and (size > FIFO_BATCH_MAX or window):
        raise Invalid(f"A FIFO queue allows a BatchSize of {FIFO_BATCH_MAX} at most, and no batching window.")
    if size > UNWINDOWED_BATCH_MAX and not window:
        raise Invalid(
            f"Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
            f"{UNWINDOWED_BATCH_MAX}"
        )
    for each in (parameters.get("FilterCriteria") or {}).get("Filters") or []:
        if each.get("Pattern"):
            compile_pattern(each["Pattern"])


def _require_enrichment(ctx: Context, arn: str, parameters: Mapping[str, Any]) -> None:
    if arn:
        require_address(arn, ctx.account, ctx.region, ("lambda",))
    _refuse(parameters, ("HttpParameters",))
    require_template(parameters.get("InputTemplate"))


def _require_target(ctx: Context, arn: str, parameters: Mapping[str, Any]) -> None:
    service = require_address(arn, ctx.account, ctx.region, ctx.parts.events.target_services)
    _refuse(parameters, _TARGETS)
    require_template(parameters.get("InputTemplate"))
    of_queue = parameters.get("SqsQueueParameters") or {}
    if service == "sqs" and arn.endswith(".fifo") and not of_queue.get("MessageGroupId"):
        raise Invalid("SqsQueueParameters.MessageGroupId must be specified for a FIFO queue.")
    if (parameters.get("EventBridgeEventBusParameters") or {}).get("EndpointId"):
        raise NotSupported("Cloche's pipes do not send to global endpoints (EndpointId).")


def _refuse(parameters: Mapping[str, Any], members: tuple[str, ...]) -> None:
    for member in members:
        if parameters.get(member):
            raise NotSupported(f"Pipes with {member} are not supported in Cloche")
