"""What AWS looks at when a job of any kind is created: its role, and whether its inputs are there."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import fact
from cloche.aws.operation import Context
from cloche.foundation.errors import NotFound
from cloche.jobs.inputs import S3Input

SAGEMAKER: Final = "sagemaker.amazonaws.com"
CANNOT_ASSUME: Final = fact(
    "ValidationException",
    "Could not assume role {role}. Please ensure that the role exists and allows principal "
    "'sagemaker.amazonaws.com' to assume the role.",
    source="awslabs/predictive-maintenance-using-machine-learning#3",
)
NO_OBJECTS: Final = fact(
    "ValidationException",
    'No S3 objects found under S3 URL "{url}" given in input data source. Please ensure that the bucket exists in '
    "the selected region ({region}), that objects exist under that S3 prefix, and that the role "
    '"{role}" has "s3:ListBucket" permissions on bucket "{bucket}".',
    source="aws/amazon-sagemaker-examples#2489",
)


def check_role(ctx: Context, role_arn: str) -> None:
    """Raises ``CANNOT_ASSUME``."""
    if not ctx.parts.identity.trusts(role_arn, SAGEMAKER, account=ctx.account):
        raise CANNOT_ASSUME.error(role=role_arn)


def check_objects(ctx: Context, input: S3Input, role_arn: str) -> None:
    """Raises ``NO_OBJECTS``."""
    try:
        found = bool(ctx.parts.objects.list(input.bucket, input.prefix, limit=1).objects)
    except NotFound:
        found = False
    if not found:
        raise NO_OBJECTS.error(url=input.uri, region=ctx.region, role=role_arn, bucket=input.bucket)
