"""Where a QualityCheck step finds the baseline of before: named by the step, or that of the latest approved version in
a model package group, as the step's role may read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloche.engines.pipelines import quality
from cloche.engines.pipelines.quality import Check
from cloche.engines.pipelines.references import Undefined
from cloche.engines.pipelines.run import Run
from cloche.foundation.api import Api, Refused


class Unanswered(Exception):
    def __init__(self, operation: str, refused: Refused) -> None:
        super().__init__(refused.message)
        self.operation = operation
        self.refused = refused


def with_baseline(api: Api, run: Run, check: Check, job: Mapping[str, Any] | None) -> Check:
    """``check`` with the baseline of before, where it needs one. ``job`` is the request of a job that a dead server
    made for the step: what that is checked against stands, whatever has been approved since. Raises ``Undefined`` where
    there is none, ``Unanswered``."""
    if not quality.needs_baseline(check):
        return check
    found = quality.baseline_in(job) if job is not None else {}
    found = found or quality.supplied_in(check) or _approved(api, run, check)
    return {**check, "Baseline": found}


def _approved(api: Api, run: Run, check: Check) -> dict[str, str]:
    group, kind = check.get("ModelPackageGroupName"), check["CheckType"]
    if group is None:
        raise Undefined(
            f"there is no previous baseline for the {kind} check: neither a supplied one nor a ModelPackageGroupName"
        )
    asked = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    listed = _call(api, run, "ListModelPackages", asked)["ModelPackageSummaryList"]
    if not listed:
        raise Undefined(f"there is no previous baseline for the {kind} check: {group} has no approved model package")
    arn = listed[0]["ModelPackageArn"]
    package = _call(api, run, "DescribeModelPackage", {"ModelPackageName": arn})
    held = (package.get("DriftCheckBaselines") or {}).get(quality.PACKAGE_MEMBER[kind]) or {}
    found = {part: held[part]["S3Uri"] for part in quality.SUPPLIED if part in held}
    if len(found) < len(quality.SUPPLIED):
        raise Undefined(
            f"there is no previous baseline for the {kind} check: {arn}, the latest approved version, has no"
            f" statistics and constraints of {quality.PACKAGE_MEMBER[kind]} in its DriftCheckBaselines"
        )
    return found


def _call(api: Api, run: Run, operation: str, request: dict[str, Any]) -> Mapping[str, Any]:
    try:
        return api.call(run.behalf, "sagemaker", operation, request)
    except Refused as refused:
        raise Unanswered(operation, refused) from None
