"""Resource policies of Logs: ten for an account and region, and one for each log group.

They say which AWS services may write here; no service of AWS's does, so they are kept and told, and decide nothing.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any, Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.services.logs.naming import group_in_arn
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

ACCOUNT_KIND: Final = "logs:resource-policy"
GROUP_KIND: Final = "logs:log-group-policy"
# "An account can have a maximum of 10 policies without resourceARN and one per LogGroup resourceARN",
# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
POLICIES_MAX: Final = 10
DESCRIBE_DEFAULT: Final = 50


def policy_arn(ctx: Context, group_arn: str) -> str:
    """Under which the policy of a log group is filed."""
    return f"{group_arn}:resource-policy"


@operation("PutResourcePolicy")
def put_resource_policy(ctx: Context, request: Members) -> Members:
    document = request.get("policyDocument")
    if document is None:
        raise Invalid("policyDocument is required", field="policyDocument")
    _require_policy(document)
    kind, name, arn = _filed(ctx, request)
    at = ctx.now.timestamp()
    revision = secrets.token_hex(16)
    kept = {"policyDocument": document, "revisionId": revision, "policyName": request.get("policyName")}

    def change(tx: sqlite3.Connection) -> Record:
        held = records.find(tx, ctx.account, ctx.region, kind, name)
        if kind == GROUP_KIND:
            _require_revision(held, request.get("expectedRevisionId"))
        if held is not None:
            records.replace_request(tx, arn, kept, at)
        else:
            if kind == ACCOUNT_KIND:
                _require_room(tx, ctx)
            records.insert(
                tx, account=ctx.account, region=ctx.region, kind=kind, name=name, arn=arn, at=at, request=kept
            )
        found = records.find_arn(tx, arn)
        assert found is not None
        return found

    shown = _shown(ctx.parts.database.write(change))
    return {"resourcePolicy": shown, **({"revisionId": revision} if kind == GROUP_KIND else {})}


@operation("DescribeResourcePolicies", reads=True)
def describe_resource_policies(ctx: Context, request: Members) -> Members:
    reader, resource = ctx.parts.database.reader, request.get("resourceArn")
    if resource is not None:
        found = records.find(reader, ctx.account, ctx.region, GROUP_KIND, group_in_arn(ctx, resource))
        return {"resourcePolicies": [] if found is None else [_shown(found)]}
    kind = GROUP_KIND if request.get("policyScope") == "RESOURCE" else ACCOUNT_KIND
    secret = records.page_secret(reader)
    question: list[Any] = ["DescribeResourcePolicies", ctx.account, ctx.region, kind]
    token = request.get("nextToken")
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?"),
        arguments=(ctx.account, ctx.region, kind),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("limit", DESCRIBE_DEFAULT))
    answer: Members = {"resourcePolicies": [_shown(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["nextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteResourcePolicy")
def delete_resource_policy(ctx: Context, request: Members) -> Members:
    kind, name, arn = _filed(ctx, request)

    def change(tx: sqlite3.Connection) -> None:
        held = records.find(tx, ctx.account, ctx.region, kind, name)
        if held is None:
            # aws/aws-cdk#20313 and others quote it
            raise NotFound(f"Policy with name [{request.get('policyName', name)}] does not exist")
        if kind == GROUP_KIND:
            _require_revision(held, request.get("expectedRevisionId"))
        records.remove(tx, arn)

    ctx.parts.database.write(change)
    return {}


def _filed(ctx: Context, request: Members) -> tuple[str, str, str]:
    """(kind, name, ARN) under which the policy that the request means is kept."""
    if (resource := request.get("resourceArn")) is not None:
        group = group_in_arn(ctx, resource)
        ctx.parts.logs.group(ctx.account, ctx.region, group)
        return GROUP_KIND, group, policy_arn(ctx, resource.removesuffix(":*"))
    name = request.get("policyName")
    if not name:
        raise Invalid("policyName is required", field="policyName")
    return ACCOUNT_KIND, name, f"arn:aws:logs:{ctx.region}:{ctx.account}:resource-policy:{name}"


def _require_policy(document: str) -> None:
    try:
        policy = orjson.loads(document)
    except orjson.JSONDecodeError:
        policy = None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    listed = statements if isinstance(statements, list) else [statements]
    if not all(isinstance(each, dict) and {"Effect", "Principal", "Action"} <= each.keys() for each in listed):
        raise Invalid("The policy document is not a valid resource policy.", field="policyDocument")


def _require_revision(held: Record | None, expected: str | None) -> None:
    actual = None if held is None else held.request["revisionId"]
    if actual != expected:
        raise AwsError("OperationAbortedException", "The expected revision is not the policy's present revision.")


def _require_room(tx: sqlite3.Connection, ctx: Context) -> None:
    count = tx.execute(
        "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?",
        (ctx.account, ctx.region, ACCOUNT_KIND),
    ).fetchone()[0]
    if count >= POLICIES_MAX:
        raise LimitReached("Resource limit exceeded.")


def _shown(record: Record) -> Members:
    shown: Members = {
        "policyName": record.request.get("policyName"),
        "policyDocument": record.request["policyDocument"],
        "lastUpdatedTime": int(record.modified_at * 1000),
    }
    if record.kind == GROUP_KIND:
        shown["policyScope"] = "RESOURCE"
        shown["resourceArn"] = record.arn.removesuffix(":resource-policy")
        shown["revisionId"] = record.request["revisionId"]
    else:
        shown["policyScope"] = "ACCOUNT"
    return shown
