"""AWS's quotas as data: names, codes and defaults, each with its source.

Codes (``L-…``) are AWS's where they are public. A quota of SageMaker whose code is not has one of Cloche's making that
can be told from AWS's at a glance (``cloche-training-ml-m5-large``); programs that look for a quota by its name find
it either way. A default that AWS does not publish is not invented: it is ``None``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_GENERAL: Final = "docs.aws.amazon.com/general/latest/gr"
_IAM: Final = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
_LOGS: Final = "docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"
_METRICS: Final = "docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"
_INSTANCES: Final = f"{_GENERAL}/sagemaker.html; the default differs between accounts and is not published"

SERVICES: Final = {
    # Names as ListServices gives them (seen in public listings of its answer).
    "iam": "AWS Identity and Access Management (IAM)",
    "logs": "Amazon CloudWatch Logs",
    "monitoring": "Amazon CloudWatch",
    "s3": "Amazon Simple Storage Service (Amazon S3)",
    "sagemaker": "Amazon SageMaker",
}


@dataclass(frozen=True, slots=True)
class Quota:
    service: str
    code: str
    name: str
    default: float | None
    """AWS's for a new account; ``None`` where AWS does not publish it."""
    source: str
    adjustable: bool = True
    everywhere: bool = False
    """It holds for the account in all regions together."""
    enforced: bool = False
    """Cloche refuses what goes beyond."""
    most: float | None = None
    """What AWS grants at most."""


def _iam(code: str, name: str, default: float, *, most: float | None = None, enforced: bool = True) -> Quota:
    return Quota("iam", code, name, default, _IAM, most is not None, everywhere=True, enforced=enforced, most=most)


BUCKETS: Final = Quota(
    "s3",
    "L-DC2B2D3D",
    "General purpose buckets",
    10_000,
    "docs.aws.amazon.com/AmazonS3/latest/userguide/BucketRestrictions.html",
    everywhere=True,
    enforced=True,
    most=1_000_000,
)
INSTANCES_OF_JOBS: Final = Quota(
    "sagemaker",
    "cloche-training-instances",
    "Number of instances across all training jobs",
    4,
    f"{_GENERAL}/sagemaker.html",
    enforced=True,
)

PUBLIC: Final[tuple[Quota, ...]] = (
    BUCKETS,
    INSTANCES_OF_JOBS,
    _iam("L-F4A5425F", "Groups per account", 300, most=500),
    _iam("L-6E65F664", "Instance profiles per account", 1_000, most=5_000),
    _iam("L-FE177D64", "Roles per account", 1_000, most=5_000),
    _iam("L-F55AF5E4", "Users per account", 5_000),
    _iam("L-E95E4862", "Customer managed policies per account", 1_500, most=5_000),
    _iam("L-0DA4ABF3", "Managed policies per role", 10, most=20),
    _iam("L-4019AD8B", "Managed policies per user", 10, most=20),
    _iam("L-384571C4", "Managed policies per group", 10),
    _iam("L-BF35879D", "Server certificates per account", 20),
    _iam("L-858F3967", "OpenId connect providers per account", 100),
    Quota("logs", "cloche-logs-log-groups", "Log groups", 1_000_000, _LOGS),
    Quota("logs", "cloche-logs-metric-filters", "Metric filters per log group", 100, _LOGS, adjustable=False),
    Quota("monitoring", "L-5E141212", "Rate of GetMetricData requests", 50, _METRICS),
)

IAM_NAMES: Final = {
    words: next(quota for quota in PUBLIC if quota.service == "iam" and quota.name == name)
    for words, name in {
        "GroupsPerAccount": "Groups per account",
        "InstanceProfilesPerAccount": "Instance profiles per account",
        "RolesPerAccount": "Roles per account",
        "PoliciesPerAccount": "Customer managed policies per account",
        "PoliciesPerRole": "Managed policies per role",
        "PoliciesPerUser": "Managed policies per user",
    }.items()
}
"""As IAM's own messages call them: those that can be adjusted."""

# Seen in consoles' addresses and commands that AWS's workshops and others publish.
_TRAINING_CODES: Final = {
    "ml.c5.4xlarge": "L-E7898792",
    "ml.g4dn.xlarge": "L-3F53BF0F",
    "ml.g5.xlarge": "L-B6D80D9C",
    "ml.g6.xlarge": "L-56AE9D73",
    "ml.m5.xlarge": "L-CCE2AFA6",
    "ml.p5.48xlarge": "L-82E1C851",
}
_ENDPOINT_CODES: Final = {
    "ml.g5.12xlarge": "L-65C4BD00",
    "ml.g5.24xlarge": "L-6821867B",
    "ml.p3.2xlarge": "L-1623D0BE",
}


def training_quota(instance_type: str) -> Quota:
    """Instances of that type that training jobs may have at a time."""
    return _instances(instance_type, "training", "training job", _TRAINING_CODES)


def transform_quota(instance_type: str) -> Quota:
    """Instances of that type that transform jobs may have at a time."""
    return _instances(instance_type, "transform", "transform job", {})


def processing_quota(instance_type: str) -> Quota:
    """Instances of that type that processing jobs may have at a time."""
    return _instances(instance_type, "processing", "processing job", {})


def endpoint_quota(instance_type: str) -> Quota:
    """Instances of that type that endpoints may have."""
    return _instances(instance_type, "endpoint", "endpoint", _ENDPOINT_CODES)


def _instances(instance_type: str, part: str, words: str, codes: dict[str, str]) -> Quota:
    code = codes.get(instance_type) or f"cloche-{part}-{instance_type.replace('.', '-')}"
    return Quota("sagemaker", code, f"{instance_type} for {words} usage", None, _INSTANCES, enforced=True)
