"""The resource policy of a model package group: checked, kept, told and removed.

It says which other accounts may read or register versions. Cloche authorises by the caller's own policies so far
(`docs/reference/iam.md`), so a policy opens nothing to another account yet; the guide says so.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import fact
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.registry.model_package_group import KIND
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

_SOURCE: Final = "hashicorp/terraform-provider-aws internal/service/sagemaker/model_package_group_policy.go"
NO_GROUP: Final = fact("ValidationException", "Cannot find Model Package Group: {arn}", source=_SOURCE)
NO_POLICY: Final = fact("ValidationException", "Cannot find resource policy for: {arn}", source=_SOURCE)
VERSIONS: Final = ("2012-10-17", "2008-10-17")


@operation("PutModelPackageGroupPolicy")
def put_model_package_group_policy(ctx: Context, request: Members) -> Members:
    name, policy = request["ModelPackageGroupName"], request["ResourcePolicy"]
    _check(ctx, name, policy)

    def change(tx: sqlite3.Connection) -> Record:
        group = _group(ctx, tx, name)
        records.set_status(tx, group.arn, state={**group.state, "policy": policy})
        return group

    return {"ModelPackageGroupArn": ctx.parts.database.write(change).arn}


@operation("GetModelPackageGroupPolicy", reads=True)
def get_model_package_group_policy(ctx: Context, request: Members) -> Members:
    group = _group(ctx, ctx.parts.database.reader, request["ModelPackageGroupName"])
    return {"ResourcePolicy": _policy_of(group)}


@operation("DeleteModelPackageGroupPolicy")
def delete_model_package_group_policy(ctx: Context, request: Members) -> Members:
    def change(tx: sqlite3.Connection) -> None:
        group = _group(ctx, tx, request["ModelPackageGroupName"])
        _policy_of(group)
        records.set_status(
            tx, group.arn, state={name: value for name, value in group.state.items() if name != "policy"}
        )

    ctx.parts.database.write(change)
    return {}


def _group(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    found = records.find(connection, ctx.account, ctx.region, KIND, name)
    if found is None:
        raise NO_GROUP.error(arn=_arn(ctx, name))
    return found


def _policy_of(group: Record) -> str:
    policy: str | None = group.state.get("policy")
    if policy is None:
        raise NO_POLICY.error(arn=group.arn)
    return policy


def _arn(ctx: Context, name: str, kind: str = "model-package-group") -> str:
    return f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:{kind}/{name}"


def _check(ctx: Context, group: str, text: str) -> None:
    """Statements that name principals, SageMaker's actions, and this group or its versions alone."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed("it is not JSON") from None
    if not isinstance(policy, dict) or policy.get("Version", VERSIONS[0]) not in VERSIONS:
        raise _malformed(f"its Version must be one of {', '.join(VERSIONS)}")
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise _malformed("it has no Statement")
    for each in statements:
        if not isinstance(each, dict) or each.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("the Effect of a statement must be Allow or Deny")
        if not _named(each.get("Principal")):
            raise _malformed("a statement has no Principal")
        if not all(action == "*" or action.lower().startswith("sagemaker:") for action in _texts(each, "Action")):
            raise _malformed("only actions of sagemaker may be named")
        for resource in _texts(each, "Resource"):
            if resource != _arn(ctx, group) and not resource.startswith(_arn(ctx, f"{group}/", "model-package")):
                raise _malformed(f"{resource} is neither this group nor one of its versions")


def _named(principal: Any) -> bool:
    if principal == "*":
        return True
    return isinstance(principal, dict) and bool(principal) and all(_listed(each) for each in principal.values())


def _texts(statement: Members, name: str) -> Iterable[str]:
    texts = _listed(statement.get(name))
    if not texts:
        raise _malformed(f"a statement has no {name}")
    return texts


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return values if values and all(isinstance(each, str) and each for each in values) else []


def _malformed(why: str) -> Invalid:
    return Invalid(f"ResourcePolicy is not valid: {why}.", field="ResourcePolicy")
