"""Targets of rules: whom an event goes to, in what form, and how long that is tried."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.events import transform
from cloche.engines.events.addresses import require_address
from cloche.engines.events.rules import put_target, remove_target, targets_of
from cloche.foundation.errors import Invalid, LimitReached, NotSupported
from cloche.services.events.naming import PAGE_DEFAULT, bus_named, require_own, rule_of
from cloche.storage.metadata import records

TARGETS_MAX: Final = 5  # docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
_OF_OTHERS: Final = (
    *("KinesisParameters", "RunCommandParameters", "EcsParameters", "BatchParameters", "HttpParameters"),
    *("RedshiftDataParameters", "AppSyncParameters"),
)


@operation("PutTargets")
def put_targets(ctx: Context, request: Members) -> Members:
    """A target of the same id is replaced."""
    for target in request["Targets"]:
        check_target(ctx, target)
    bus = bus_named(ctx, request.get("EventBusName"))

    def put(tx: sqlite3.Connection) -> None:
        rule = rule_of(ctx, tx, bus, request["Rule"])
        require_own(rule)
        for target in request["Targets"]:
            put_target(tx, ctx.account, ctx.region, rule.arn, target)
        if len(targets_of(tx, rule.arn)) > TARGETS_MAX:
            raise LimitReached("The requested resource exceeds the maximum number allowed.")

    ctx.parts.database.write(put)
    return {"FailedEntryCount": 0, "FailedEntries": []}


def check_target(ctx: Context, target: Mapping[str, Any]) -> None:
    """Raises ``Invalid``, and ``NotSupported`` for what Cloche delivers nothing to."""
    service = require_address(target["Arn"], ctx.account, ctx.region, ctx.parts.events.target_services)
    goes_abroad = service == "events" and f":{ctx.account}:" not in target["Arn"]
    if (service == "sagemaker" or goes_abroad) and not target.get("RoleArn"):
        raise Invalid(f"RoleArn is required for target {target['Arn']}.")
    for member in _OF_OTHERS:
        if target.get(member):
            raise NotSupported(f"Targets with {member} are not supported in Cloche")
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    if service == "sqs" and target["Arn"].endswith(".fifo") and not group:
        raise Invalid(f"Parameter(s) SqsParameters must be specified for target: {target['Id']}.")
    letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if letters is not None:
        found = Arn.try_parse(letters)
        # docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html: standard queues
        if found is None or found.service != "sqs" or found.resource.endswith(".fifo"):
            raise Invalid(
                f"Parameter DeadLetterConfig.Arn is not valid for target {target['Id']}: a standard SQS queue."
            )
    transform.check(target)


@operation("ListTargetsByRule", reads=True)
def list_targets_by_rule(ctx: Context, request: Members) -> Members:
    bus, reader = bus_named(ctx, request.get("EventBusName")), ctx.parts.database.reader
    rule = rule_of(ctx, reader, bus, request["Rule"])
    secret, token = records.page_secret(reader), request.get("NextToken")
    question: list[Any] = ["ListTargetsByRule", rule.arn]
    (after,) = tokens.unseal(secret, question, token) if token else ("",)
    size = request.get("Limit") or PAGE_DEFAULT
    found = [target for target in targets_of(reader, rule.arn) if target["Id"] > after]
    answer: Members = {"Targets": found[:size]}
    if len(found) > size:
        answer["NextToken"] = tokens.seal(secret, question, (found[size - 1]["Id"],))
    return answer


@operation("RemoveTargets")
def remove_targets(ctx: Context, request: Members) -> Members:
    """What was owed to a target before is still delivered."""
    bus = bus_named(ctx, request.get("EventBusName"))

    def remove(tx: sqlite3.Connection) -> list[Members]:
        rule = rule_of(ctx, tx, bus, request["Rule"])
        require_own(rule)
        return [
            {
                "TargetId": id,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {request['Rule']} does not have a target with the Id {id}.",
            }
            for id in request["Ids"]
            if not remove_target(tx, rule.arn, id)
        ]

    failed = ctx.parts.database.write(remove)
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}
