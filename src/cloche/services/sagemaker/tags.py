"""Tags of every SageMaker resource, by ARN."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.foundation.errors import Invalid, NotFound
from cloche.storage.metadata import records, tags


@operation("AddTags")
def add_tags(ctx: Context, request: Members) -> Members:
    """Add or overwrite; answers all tags the resource then has."""
    arn = _own_arn(ctx, request)
    pairs = tagging.tag_pairs(request["Tags"])

    def change(tx: sqlite3.Connection) -> list[tuple[str, str]]:
        _require(tx, arn)
        return tagging.add_tags(tx, arn, pairs)

    return {"Tags": tagging.tag_members(ctx.parts.database.write(change))}


@operation("ListTags", reads=True)
def list_tags(ctx: Context, request: Members) -> Members:
    """All tags in one page: a resource has at most 50, and a page holds no fewer (the model's minimum)."""
    arn = _own_arn(ctx, request)
    reader = ctx.parts.database.reader
    _require(reader, arn)
    if request.get("NextToken"):
        raise Invalid("NextToken is not valid", field="NextToken")
    return {"Tags": tagging.tag_members(tags.read(reader, arn))}


@operation("DeleteTags")
def delete_tags(ctx: Context, request: Members) -> Members:
    arn = _own_arn(ctx, request)

    def change(tx: sqlite3.Connection) -> None:
        _require(tx, arn)
        tags.remove(tx, arn, request["TagKeys"])

    ctx.parts.database.write(change)
    return {}


def _own_arn(ctx: Context, request: Members) -> str:
    arn: str = request["ResourceArn"]
    region, account = arn.split(":")[3:5]
    if region != ctx.region:
        # aws/amazon-sagemaker-examples#1444
        raise Invalid(f"ARN should be scoped to correct region: {ctx.region}", field="ResourceArn")
    if account != ctx.account:
        raise NotFound("Requested resource not found.")
    return arn


def _require(connection: sqlite3.Connection, arn: str) -> None:
    if records.find_arn(connection, arn) is None:
        # The words of DescribeTrainingJob (boto/boto3#2808).
        raise NotFound("Requested resource not found.")
