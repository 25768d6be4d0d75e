"""Who else may put events on a bus: statements of its policy, one by one or as a whole
(docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.policy import compile_document
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.events.naming import bus_arn, bus_named

POLICY_BYTES_MAX: Final = 10_240  # docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html


@operation("PutPermission")
def put_permission(ctx: Context, request: Members) -> Members:
    """A statement of the same id is replaced; ``Policy`` replaces them all."""
    bus = bus_named(ctx, request.get("EventBusName"))
    if request.get("Condition"):
        raise NotSupported("Cloche has no organizations, which conditions of PutPermission are about.")
    if request.get("Policy"):
        _write(ctx, bus, lambda _: _document(request["Policy"]))
        return {}
    missing = [name for name in ("Action", "Principal", "StatementId") if not request.get(name)]
    if missing:
        raise Invalid(f"Parameter(s) {', '.join(missing)} must be specified.")
    if request["Action"] != "events:PutEvents":
        raise Invalid("Provided value in parameter 'action' is not supported.")
    who = request["Principal"]
    statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if who == "*" else {"AWS": f"arn:aws:iam::{who}:root"},
        "Action": "events:PutEvents",
        "Resource": bus_arn(ctx, bus),
    }

    def add(statements: list[Any]) -> list[Any]:
        return [*(each for each in statements if each.get("Sid") != statement["Sid"]), statement]

    _write(ctx, bus, add)
    return {}


@operation("RemovePermission")
def remove_permission(ctx: Context, request: Members) -> Members:
    bus = bus_named(ctx, request.get("EventBusName"))

    def remove(statements: list[Any]) -> list[Any]:
        if request.get("RemoveAllPermissions"):
            return []
        left = [each for each in statements if each.get("Sid") != request.get("StatementId")]
        if len(left) == len(statements):
            raise NotFound("Statement with the provided id does not exist.")
        return left

    _write(ctx, bus, remove)
    return {}


def _document(text: str) -> list[Any]:
    try:
        compile_document(text)
        statements = json.loads(text)["Statement"]
    except Exception:
        raise Invalid("Parameter Policy is not valid. Reason: it is no policy document.") from None
    return statements if isinstance(statements, list) else [statements]


def _write(ctx: Context, bus: str, change: Any) -> None:
    place, policies = (ctx.account, ctx.region, bus), ctx.parts.events.policies

    def write(tx: sqlite3.Connection) -> None:
        text = policies.read(tx, place)
        statements = change(json.loads(text)["Statement"] if text else [])
        made = json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else ""
        if len(made) > POLICY_BYTES_MAX:
            raise AwsError("PolicyLengthExceededException", "The event bus policy is too long.")
        policies.write(tx, place, made)

    ctx.parts.database.write(write)
