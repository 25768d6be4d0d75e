"""Contexts: what other entities belong to, as an endpoint or a group of model packages."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from cloche.aws.operation import Context as Asked
from cloche.aws.operation import Members
from cloche.aws.resource import Fact, Resource
from cloche.services.sagemaker.lineage.facts import absent, check_free, group_arn, taken, updated_properties
from cloche.storage.metadata.records import Record


class Context(Resource):
    """A grouping of other entities."""

    operations: ClassVar = ("CreateContext", "DescribeContext", "ListContexts", "UpdateContext", "DeleteContext")
    arn: ClassVar = "context/{ContextName}"
    missing: ClassVar[Fact] = absent("Context")
    duplicate: ClassVar[Fact] = taken("Context")
    filters: ClassVar = {"SourceUri": "json_extract(request, '$.Source.SourceUri') = ?"}

    def updated(self, ctx: Asked, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        return updated_properties(record, {key: value for key, value in request.items() if key != "ContextName"})

    def deleted(self, ctx: Asked, tx: sqlite3.Connection, record: Record) -> None:
        check_free(tx, record)
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Asked, record: Record) -> Members:
        return {"LineageGroupArn": group_arn(record)}
