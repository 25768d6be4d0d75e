"""Actions: what was done, as a deployment or an approval."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource
from cloche.services.sagemaker.lineage.facts import absent, check_free, group_arn, taken, updated_properties
from cloche.storage.metadata.records import Record


class Action(Resource):
    """Something done, with its own status."""

    operations: ClassVar = ("CreateAction", "DescribeAction", "ListActions", "UpdateAction", "DeleteAction")
    arn: ClassVar = "action/{ActionName}"
    missing: ClassVar[Fact] = absent("Action")
    duplicate: ClassVar[Fact] = taken("Action")
    filters: ClassVar = {"SourceUri": "json_extract(request, '$.Source.SourceUri') = ?"}

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        return updated_properties(record, {key: value for key, value in request.items() if key != "ActionName"})

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        check_free(tx, record)
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        return {"LineageGroupArn": group_arn(record)}
