"""Model package groups: a name under which the versions of one model are counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.foundation.errors import NotSupported
from cloche.services.sagemaker.registry.people import by
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

KIND: Final = "sagemaker/ModelPackageGroup"
PACKAGES: Final = "sagemaker/ModelPackage"
MISSING: Final = fact(
    "ValidationException",
    "ModelPackageGroup {arn} does not exist.",
    source="aws-cloudformation/aws-cloudformation-resource-providers-sagemaker (modelpackagegroup, AbstractTestBase)",
)


class ModelPackageGroup(Resource):
    """Versions of one model. They are numbered from 1, and a number is never given twice."""

    operations: ClassVar = (
        "CreateModelPackageGroup",
        "DescribeModelPackageGroup",
        "ListModelPackageGroups",
        "DeleteModelPackageGroup",
    )
    arn: ClassVar = "model-package-group/{ModelPackageGroupName}"
    status: ClassVar = "ModelPackageGroupStatus"
    listed_by: ClassVar = ("CreationTime", "Ascending")
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        "Model Package Group already exists: {arn}",
        source="aws-cloudformation/aws-cloudformation-resource-providers-sagemaker (modelpackagegroup)",
    )
    filters: ClassVar[Mapping[str, str]] = {"CrossAccountFilterOption": "? = 'SameAccount'"}

    def check(self, ctx: Context, request: Members) -> None:
        if request.get("ManagedConfiguration"):
            raise NotSupported("ManagedConfiguration (storage of packages by SageMaker) is not supported by Cloche.")

    def page(self, ctx: Context, request: Members) -> Any:
        if request.get("CrossAccountFilterOption") == "CrossAccount":
            raise NotSupported(
                "CrossAccountFilterOption CrossAccount (groups shared by AWS RAM) is not supported by Cloche yet."
            )
        return super().page(ctx, request)

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        # No work belongs to a group's creation, so it is complete with its row.
        records.set_status(tx, record.arn, "Completed", state={"by": by(ctx), "last_version": 0})

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        if _holds_packages(tx, record):
            # The code is the one the model lists for the operation; its words are not on record.
            raise AwsError(
                "ConflictException",
                f"Model Package Group {record.arn} still contains model packages; delete its versions first.",
            )
        records.remove(tx, record.arn)

    def shown(self, ctx: Context, record: Record) -> Members:
        return {"CreatedBy": record.state.get("by")}


def group_named(ctx: Context, name_or_arn: str) -> str:
    """The group's name. Raises ``Invalid`` for an ARN of another region, account or noun."""
    return _noun().identify(ctx, {"ModelPackageGroupName": name_or_arn})


def find_group(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """Raises AWS's words where there is no group of that name."""
    return _noun().find(ctx, connection, name)


def next_version(ctx: Context, tx: sqlite3.Connection, group: str) -> int:
    """A number no version of ``group`` has had, kept with the group: it outlives the version's deletion."""
    record = find_group(ctx, tx, group)
    number: int = record.state["last_version"] + 1
    records.set_status(tx, record.arn, state={**record.state, "last_version": number})
    return number


def versions_range(group: str) -> tuple[str, str]:
    """Names of the group's versions lie between these two: ``group/1`` … (``0`` follows ``/``)."""
    return f"{group}/", f"{group}0"


def _holds_packages(tx: sqlite3.Connection, group: Record) -> bool:
    row = tx.execute(
        "SELECT 1 FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? AND name < ? LIMIT 1",
        (group.account, group.region, PACKAGES, *versions_range(group.name)),
    ).fetchone()
    return row is not None


@cache
def _noun() -> ModelPackageGroup:
    return ModelPackageGroup()
