"""Model packages: a model as it can be deployed, with what is known of it; mostly a version of a group.

A version is filed as ``group/3``, which is also the end of its ARN. The number is the transaction's to give.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final

from cloche.aws.operation import Context, Kept, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.foundation.errors import Conflict, Invalid
from cloche.services.sagemaker.registry.cloning import cloned_specification
from cloche.services.sagemaker.registry.model_package_group import group_named, next_version
from cloche.services.sagemaker.registry.package_checks import check_package, check_specification, stamped
from cloche.services.sagemaker.registry.package_updates import updated_package
from cloche.services.sagemaker.registry.package_validation import plan_validation
from cloche.services.sagemaker.registry.people import by
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

MISSING: Final = fact(
    "ValidationException",
    "ModelPackage {arn} does not exist.",
    source="the suffix by which aws-controllers-k8s/sagemaker-controller (generator.yaml) knows it",
)
BUSY: Final = fact(
    "ConflictException",
    "ModelPackage {arn} is being validated; delete it when that has ended.",
    source="code: the operation's errors in the model; words: Cloche's own",
)
_VERSIONED: Final = "json_extract(request, '$.ModelPackageGroupName') IS NOT NULL"


class ModelPackage(Resource):
    """Containers and artefacts under a name or a number, with metrics and an approval."""

    operations: ClassVar = (
        "CreateModelPackage",
        "DescribeModelPackage",
        "ListModelPackages",
        "UpdateModelPackage",
        "DeleteModelPackage",
    )
    arn: ClassVar = "model-package/{ModelPackageName}"
    status: ClassVar = "ModelPackageStatus"
    listed_by: ClassVar = ("CreationTime", "Ascending")
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        "ModelPackage already exists: {arn}",
        source="aws/sagemaker-python-sdk 2 session.py matches 'ModelPackage already exists'; the form of the group's",
    )
    # docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListModelPackages.html; unversioned ones where nothing
    # is said (boto/boto3#3069).
    filters: ClassVar[Mapping[str, str]] = {
        "ModelPackageType": f"CASE ? WHEN 'Versioned' THEN {_VERSIONED} WHEN 'Unversioned' THEN NOT {_VERSIONED}"
        " WHEN 'Both' THEN 1 END"
    }

    # -- making -------------------------------------------------------------------------------------------

    def create(self, ctx: Context, request: Members) -> Members:
        given = dict(request)
        if group := request.get("ModelPackageGroupName"):
            given["ModelPackageGroupName"] = group_named(ctx, group)
            # "PendingManualApproval" is what a version that says nothing waits with:
            # docs.aws.amazon.com/sagemaker/latest/dg/model-registry-approve.html
            given.setdefault("ModelApprovalStatus", "PendingManualApproval")
        if "InferenceSpecification" in request:
            given["InferenceSpecification"] = stamped(ctx, request["InferenceSpecification"])
        return super().create(ctx, given)

    def identify(self, ctx: Context, request: Members) -> str:
        """``group/`` of a version that is still to be numbered."""
        if "ModelPackageArn" in request:
            return self._name_in(ctx, request["ModelPackageArn"])
        name, group = request.get("ModelPackageName"), request.get("ModelPackageGroupName")
        if name and group:
            # The words are recorded in getmoto/moto#7165.
            raise Invalid(
                "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which "
                "one to use.",
                field="ModelPackageName",
            )
        if group:
            return f"{group}/"
        if not name:
            raise Invalid("Missing ARN.", field="ModelPackageName")  # recorded in getmoto/moto#7165
        return self._name_in(ctx, name)

    def check(self, ctx: Context, request: Members) -> None:
        check_package(ctx, request)

    def numbered(self, ctx: Context, tx: sqlite3.Connection, name: str, request: Members) -> str:
        group = request.get("ModelPackageGroupName")
        return f"{group}/{next_version(ctx, tx, group)}" if group else name

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        kept = {name: value for name, value in record.request.items() if name != "ModelPackageName"}
        kept |= cloned_specification(ctx, tx, request.get("SourceUri", ""))
        records.replace_request(tx, record.arn, kept, record.created_at)
        # Where nothing is to be tried, nothing runs to make it: it is complete with its row.
        plan = plan_validation(ctx, record, kept)
        records.set_status(tx, record.arn, None if plan else "Completed", state={"by": by(ctx)})
        if plan is not None:
            ctx.parts.validations.submit(tx, plan)

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.validations.delete(tx, record.arn)
        except Conflict:
            raise BUSY.error(arn=record.arn) from None
        super().deleted(ctx, tx, record)

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        if specification := request.get("InferenceSpecification"):
            check_specification(specification, versioned=True)
            request = {**request, "InferenceSpecification": stamped(ctx, specification)}
        kept = updated_package(record.request, request)
        kept |= cloned_specification(ctx, tx, request.get("SourceUri", ""))
        records.set_status(tx, record.arn, state={**record.state, "modified_by": by(ctx)})
        return kept

    # -- telling ------------------------------------------------------------------------------------------

    def page(self, ctx: Context, request: Members) -> Any:
        asked = dict(request)
        if group := request.get("ModelPackageGroupName"):
            asked["ModelPackageGroupName"] = group_named(ctx, group)
            asked.setdefault("ModelPackageType", "Versioned")
            if asked.get("SortBy") == "Name":
                asked["SortBy"] = "CreationTime"  # versions of a group have one name: by number
        asked.setdefault("ModelPackageType", "Unversioned")
        return super().page(ctx, asked)

    def _lists_cheaply(self, request: Members) -> bool:
        return False  # there is always a filter

    def describe(self, ctx: Context, request: Members) -> Kept:
        answer = super().describe(ctx, request)
        if request.get("IncludedData") != "MetadataOnly" or "ModelCard" not in answer.members:
            return answer
        members = dict(answer.members)
        # "the response is returned with the embedded ModelCard.ModelCardContent field sanitized"
        # (API_DescribeModelPackage)
        members["ModelCard"] = {**members["ModelCard"], "ModelCardContent": ""}
        return Kept(lambda: members)

    def shown(self, ctx: Context, record: Record) -> Members:
        number = record.name.partition("/")[2]
        modified = record.state.get("modified_by")
        return {
            # A version has no name of its own, although the shape requires one: so it is in the description that
            # docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html shows, and in a summary
            # (aws/sagemaker-python-sdk#5606). AWS's SDK 3 describes again by the ARN only where none is answered.
            "ModelPackageName": None if number else record.name,
            "ModelPackageVersion": int(number) if number else None,
            "ModelPackageStatusDetails": {
                "ValidationStatuses": record.state.get("validations", []),
                "ImageScanStatuses": [],
            },
            "CertifyForMarketplace": False,
            "CreatedBy": record.state.get("by"),
            "LastModifiedBy": modified,
            "ModelCard": _card(record.request.get("ModelCard")),
        }


def find_package(ctx: Context, connection: sqlite3.Connection, name_or_arn: str) -> Record:
    """Raises AWS's words where there is no such package."""
    return _noun().find(ctx, connection, _noun().identify(ctx, {"ModelPackageName": name_or_arn}))


def _card(card: Members | None) -> Members | None:
    # docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelPackageModelCard.html
    return None if card is None else {"ModelCardStatus": "Draft", **card}


@cache
def _noun() -> ModelPackage:
    return ModelPackage()
