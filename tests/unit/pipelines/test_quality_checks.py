"""What a QualityCheck step demands of its job, becomes and tells, for every combination of its flags."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloche.engines.pipelines import baselines, caching, quality
from cloche.engines.pipelines.references import Undefined
from cloche.engines.pipelines.run import Run
from cloche.foundation.api import Api, Refused
from cloche.foundation.errors import Invalid

ARGUMENTS: dict[str, Any] = {
    "ProcessingInputs": [{"InputName": "baseline_dataset_input", "S3Input": {"S3Uri": "s3://b/data.csv"}}],
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/out/"}}]},
    "Environment": {"output_path": "/opt/ml/processing/output"},
}
OLD = {"Statistics": "s3://b/old/s.json", "Constraints": "s3://b/old/c.json"}
NEW = {"Statistics": "s3://b/out/statistics.json", "Constraints": "s3://b/out/constraints.json"}
SUPPLIED = {f"SuppliedBaseline{part}": uri for part, uri in OLD.items()}
RUN = cast(Run, SimpleNamespace(behalf=None))
VIOLATED = {"ExitMessage": "CompletedWithViolations: Job completed successfully with 1 violations."}


class Registry:
    """Model packages; what it is asked is kept."""

    def __init__(self, *baseline: Any, refusal: Refused | None = None) -> None:
        self.baselines = baseline
        self.refusal = refusal
        self.asked: list[str] = []

    def call(self, behalf: Any, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(operation)
        if operation == "ListModelPackages":
            assert (request["ModelApprovalStatus"], request["SortOrder"]) == ("Approved", "Descending")
            return {"ModelPackageSummaryList": [{"ModelPackageArn": "arn:1"}] if self.baselines else []}
        if self.refusal is not None:
            raise self.refusal
        return {"DriftCheckBaselines": {"ModelDataQuality": self.baselines[0]}}


def resolved(api: Any, job: dict[str, Any] | None = None, **members: Any) -> quality.Check:
    given = quality.members_of({"CheckType": "DATA_QUALITY", **members})
    return baselines.with_baseline(cast(Api, api), RUN, quality.check_of(given, ARGUMENTS), job)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("register", [False, True])
def test_every_combination_of_skipping_and_registering(skip: bool, register: bool) -> None:
    check = resolved(Registry(), SkipCheck=skip, RegisterNewBaseline=register, **SUPPLIED)
    request = quality.request_of(check, ARGUMENTS)
    names = [each["InputName"] for each in request["ProcessingInputs"]]
    if skip:
        assert request == ARGUMENTS
    else:
        assert names == ["baseline_dataset_input", "baseline_statistics", "baseline_constraints"]
        assert request["Environment"] == {
            "output_path": "/opt/ml/processing/output",
            "baseline_statistics": "/opt/ml/processing/baseline/stats/s.json",
            "baseline_constraints": "/opt/ml/processing/baseline/constraints/c.json",
        }
        assert quality.baseline_in(request) == OLD
    assert len(ARGUMENTS["ProcessingInputs"]) == 1
    properties = quality.properties_of(check)
    used = NEW if register else OLD
    assert properties == {f"CalculatedBaseline{part}": uri for part, uri in NEW.items()} | {
        f"BaselineUsedForDriftCheck{part}": uri for part, uri in used.items()
    }
    assert set(properties) == set(quality.PROPERTIES)
    assert list(caching.outputs_of(properties)) == list(NEW.values())
    assert quality.report_of(check, VIOLATED) == (None if skip else "s3://b/out/constraint_violations.json")
    assert quality.report_of(check, {"ExitMessage": "Completed: …"}) is None
    assert quality.report_of(check, {}) is None
    told = quality.metadata_of(check, "arn:job")
    assert told == {
        "CheckType": "DATA_QUALITY",
        "SkipCheck": skip,
        "RegisterNewBaseline": register,
        "CheckJobArn": "arn:job",
    }


def test_supplied_baselines_come_before_the_group_s() -> None:
    held = {part: {"S3Uri": f"s3://g/{part}"} for part in OLD}
    registry = Registry(held)
    assert resolved(registry, ModelPackageGroupName="g", **SUPPLIED)["Baseline"] == OLD and not registry.asked
    found = resolved(registry, ModelPackageGroupName="g", SuppliedBaselineStatistics="")["Baseline"]
    assert found == {part: f"s3://g/{part}" for part in OLD}
    registry = Registry()
    check = resolved(registry, ModelPackageGroupName="g", SkipCheck=True, RegisterNewBaseline=True)
    assert check["Baseline"] == {} and not registry.asked  # nothing is needed


def test_what_a_job_is_checked_against_stands_whatever_is_approved_later() -> None:
    job = quality.request_of(resolved(Registry(), **SUPPLIED), ARGUMENTS)
    registry = Registry({part: {"S3Uri": f"s3://newer/{part}"} for part in OLD})
    assert resolved(registry, job, ModelPackageGroupName="g")["Baseline"] == OLD and not registry.asked
    skipping = resolved(registry, dict(ARGUMENTS), ModelPackageGroupName="g", SkipCheck=True)
    assert skipping["Baseline"] == {part: f"s3://newer/{part}" for part in OLD}


@pytest.mark.parametrize(
    ("registry", "members", "said"),
    [
        (Registry(), {}, "neither a supplied one nor a ModelPackageGroupName"),
        (Registry(), {"SkipCheck": True}, "no previous baseline"),
        (Registry(), {"RegisterNewBaseline": True}, "no previous baseline"),
        (Registry(), {"ModelPackageGroupName": "g"}, "g has no approved model package"),
        (Registry({}), {"ModelPackageGroupName": "g"}, "no statistics and constraints of ModelDataQuality"),
        (Registry(), {"SuppliedBaselineConstraints": "s3://b/c"}, "SuppliedBaselineStatistics is missing"),
        (Registry(), {"SuppliedBaselineConstraints": 3}, "SuppliedBaselineConstraints is no text"),
        (Registry(), {"FailOnViolation": 1}, "FailOnViolation is 1, neither true nor false"),
    ],
)
def test_without_a_whole_baseline_of_before_there_is_no_check(
    registry: Registry, members: dict[str, Any], said: str
) -> None:
    with pytest.raises(Undefined, match=said):
        resolved(registry, **members)


def test_a_registry_that_refuses_is_told_with_what_was_asked() -> None:
    with pytest.raises(baselines.Unanswered) as caught:
        resolved(Registry({}, refusal=Refused("AccessDeniedException", "no")), ModelPackageGroupName="g")
    assert (caught.value.operation, caught.value.refused.code) == ("DescribeModelPackage", "AccessDeniedException")


@pytest.mark.parametrize("outputs", [None, [], [{}], [{"S3Output": None}], 3, [{"S3Output": {"S3Uri": "a"}}] * 2])
def test_a_job_without_its_one_output_is_refused(outputs: Any) -> None:
    given = quality.members_of({"CheckType": "MODEL_QUALITY"})
    with pytest.raises(Undefined, match="needs one output in S3"):
        quality.check_of(given, {"ProcessingOutputConfig": {"Outputs": outputs}})


@pytest.mark.parametrize("kind", [None, "DATA_BIAS", ["DATA_QUALITY"], {"Get": "Parameters.X"}])
def test_a_check_s_type_is_told_by_the_definition(kind: Any) -> None:
    with pytest.raises(Invalid, match="CheckType must be one of"):
        quality.members_of({"CheckType": kind})
