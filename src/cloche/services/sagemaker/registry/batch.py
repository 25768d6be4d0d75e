"""Many model packages described with one call."""

from __future__ import annotations

from typing import Any

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.registry.model_package import find_package
from cloche.storage.metadata.records import Record


@operation("BatchDescribeModelPackage", reads=True)
def batch_describe_model_package(ctx: Context, request: Members) -> Members:
    """Each ARN is either in the summaries or, with its error, in the other map."""
    reader = ctx.parts.database.reader
    summaries: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for arn in request["ModelPackageArnList"]:
        try:
            summaries[arn] = _summary(find_package(ctx, reader, arn))
        except AwsError as error:
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
        except Invalid as error:
            errors[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": str(error)}
    return {"ModelPackageSummaries": summaries, "BatchDescribeModelPackageErrorMap": errors}


def _summary(record: Record) -> Members:
    group, _, number = record.name.partition("/")
    kept = (
        "ModelPackageDescription",
        "InferenceSpecification",
        "ModelApprovalStatus",
        "ModelPackageRegistrationType",
    )
    summary = {
        "ModelPackageGroupName": group,
        "ModelPackageArn": record.arn,
        "CreationTime": from_epoch(record.created_at),
        "ModelPackageStatus": record.status,
        **{name: record.request[name] for name in kept if name in record.request},
    }
    if number:
        summary["ModelPackageVersion"] = int(number)
    return summary
