"""Resource policies of functions and layers' versions: kept and shown. See ``engines/functions/statements``."""

from __future__ import annotations

from typing import Any

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LATEST
from cloche.engines.functions.registry import resolve
from cloche.foundation.errors import LimitReached, NotFound, NotSupported
from cloche.services.lambda_.errors import preconditions
from cloche.services.lambda_.naming import layer_name, named

Where = tuple[str, str, str, str]


@operation("AddPermission")
def add_permission(ctx: Context, request: Members) -> Members:
    where, arn = _function(ctx, request)
    for member in ("FunctionUrlAuthType", "InvokedViaFunctionUrl"):
        if request.get(member):
            raise NotSupported(f"AddPermission does not support {member} in Cloche: there are no function URLs")
    conditions: dict[str, dict[str, str]] = {}
    if request.get("SourceAccount"):
        conditions["StringEquals"] = {"AWS:SourceAccount": request["SourceAccount"]}
    if request.get("EventSourceToken"):
        conditions.setdefault("StringEquals", {})["lambda:EventSourceToken"] = request["EventSourceToken"]
    if request.get("PrincipalOrgID"):
        conditions.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = request["PrincipalOrgID"]
    if request.get("SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": arn,
        **({"Condition": conditions} if conditions else {}),
    }
    _add(ctx, where, request, statement)
    return {"Statement": orjson.dumps(statement).decode()}


@operation("RemovePermission")
def remove_permission(ctx: Context, request: Members) -> Members:
    where, _ = _function(ctx, request)
    with preconditions():
        ctx.parts.functions.statements.remove(where, request["StatementId"], request.get("RevisionId", ""))
    return {}


@operation("GetPolicy", reads=True)
def get_policy(ctx: Context, request: Members) -> Members:
    where, _ = _function(ctx, request)
    return _policy(ctx, where)


@operation("AddLayerVersionPermission")
def add_layer_version_permission(ctx: Context, request: Members) -> Members:
    where, arn = _layer(ctx, request)
    statement: dict[str, Any] = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if request["Principal"] == "*" else _principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": arn,
    }
    if request.get("OrganizationId"):
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": request["OrganizationId"]}}
    _add(ctx, where, request, statement)
    text = orjson.dumps(statement).decode()
    return {"Statement": text, "RevisionId": ctx.parts.functions.statements.revision(where)}


@operation("RemoveLayerVersionPermission")
def remove_layer_version_permission(ctx: Context, request: Members) -> Members:
    where, _ = _layer(ctx, request)
    with preconditions():
        ctx.parts.functions.statements.remove(where, request["StatementId"], request.get("RevisionId", ""))
    return {}


@operation("GetLayerVersionPolicy", reads=True)
def get_layer_version_policy(ctx: Context, request: Members) -> Members:
    where, _ = _layer(ctx, request)
    return _policy(ctx, where)


def _function(ctx: Context, request: Members) -> tuple[Where, str]:
    """Where its statements are, and the ARN they speak of. Raises ``NotFound``."""
    owner, qualifier = named(ctx, request)
    resolve(ctx.parts.database.reader, owner, qualifier or LATEST)
    arn = f"{owner.arn}:{qualifier}" if qualifier else owner.arn
    return (owner.account, owner.region, f"function:{owner.name}", qualifier), arn


def _layer(ctx: Context, request: Members) -> tuple[Where, str]:
    name, number = layer_name(ctx, request), request["VersionNumber"]
    held = ctx.parts.functions.layers.get(ctx.account, ctx.region, name, number)
    return (ctx.account, ctx.region, f"layer:{name}:{number}", ""), held.arn


def _principal(text: str) -> Any:
    if text == "*":
        return "*"
    if text.isdecimal() and len(text) == 12:
        return {"AWS": f"arn:aws:iam::{text}:root"}
    return {"AWS": text} if text.startswith("arn:") else {"Service": text}


def _add(ctx: Context, where: Where, request: Members, statement: dict[str, Any]) -> None:
    with preconditions():
        try:
            ctx.parts.functions.statements.add(where, request["StatementId"], statement, request.get("RevisionId", ""))
        except LimitReached as error:
            raise AwsError("PolicyLengthExceededException", error.message, fields={"Type": "User"}) from None


def _policy(ctx: Context, where: Where) -> Members:
    statements = ctx.parts.functions.statements
    found = statements.read(where)
    if not found:
        raise NotFound("The resource you requested does not exist.")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": found}
    return {"Policy": orjson.dumps(policy).decode(), "RevisionId": statements.revision(where)}
