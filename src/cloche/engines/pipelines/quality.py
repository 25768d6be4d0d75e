"""QualityCheck steps: a processing job of Model Monitor's analyzer that calculates a baseline and, in the same run,
holds the data against the baseline of before.

The four combinations of ``SkipCheck`` and ``RegisterNewBaseline``, and where the baseline of before comes from:
docs.aws.amazon.com/sagemaker/latest/dg/pipelines-quality-clarify-baseline-lifecycle.html. When there must be one:
API_QualityCheckStepMetadata. Members of the step: ``workflow/quality_check_step.py`` of the SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.pipelines.references import Undefined
from cloche.foundation.errors import Invalid

SUPPLIED: Final = {"Statistics": "SuppliedBaselineStatistics", "Constraints": "SuppliedBaselineConstraints"}
_FLAGS: Final = {"SkipCheck": False, "FailOnViolation": True, "RegisterNewBaseline": False}
"""With the SDK's defaults."""
_MEMBERS: Final = ("CheckType", "ModelPackageGroupName", *_FLAGS, *SUPPLIED.values())

CALCULATED: Final = ("CalculatedBaselineStatistics", "CalculatedBaselineConstraints")
PROPERTIES: Final = (*CALCULATED, "BaselineUsedForDriftCheckStatistics", "BaselineUsedForDriftCheckConstraints")

PACKAGE_MEMBER: Final = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}
"""Check type → where ``DriftCheckBaselines`` of a model package has its baseline."""

# Places and variables as a monitoring schedule's jobs have them (dg/model-monitor-byoc-contract-inputs.html).
_PLACES: Final = {
    "Statistics": ("baseline_statistics", "/opt/ml/processing/baseline/stats"),
    "Constraints": ("baseline_constraints", "/opt/ml/processing/baseline/constraints"),
}
_VIOLATED: Final = "CompletedWithViolations"
"""The beginning of the analyzer's exit message."""
# The first two sentences: tests/integ/sagemaker/workflow/test_quality_check_steps.py of the SDK.
_REASON: Final = "ClientError: Quality check failed. See violation report: {report}"

Check = dict[str, Any]
"""The members of the step, evaluated; ``Output``: where in S3 its job writes; ``Baseline``: of before, if any."""


def members_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """From a definition. Raises ``Invalid``."""
    kind = given.get("CheckType")
    if not isinstance(kind, str) or kind not in PACKAGE_MEMBER:
        raise Invalid(f"CheckType must be one of {', '.join(PACKAGE_MEMBER)}, not {kind!r}", field="CheckType")
    return {name: given[name] for name in _MEMBERS if given.get(name) is not None}


def check_of(members: Mapping[str, Any], arguments: Mapping[str, Any]) -> Check:
    """What the step demands, its members and its job's ``arguments`` evaluated. Raises ``Undefined``."""
    texts = {name: members[name] for name in _MEMBERS if name not in _FLAGS and members.get(name)}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise Undefined(f"{name} is no text")
    flags = {name: _flag(name, members.get(name, default)) for name, default in _FLAGS.items()}
    return {**texts, **flags, "Output": _output(arguments), "Baseline": {}}


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Undefined(f"{name} is {value!r}, neither true nor false")


def _output(arguments: Mapping[str, Any]) -> str:
    try:
        (output,) = arguments["ProcessingOutputConfig"]["Outputs"]
        return str(output["S3Output"]["S3Uri"]).rstrip("/")
    except (KeyError, TypeError, ValueError):
        raise Undefined("a QualityCheck step's job needs one output in S3") from None


def needs_baseline(check: Check) -> bool:
    """Whether there must be one of before: to be checked against, or to be carried over."""
    return not (check["SkipCheck"] and check["RegisterNewBaseline"])


def supplied_in(check: Check) -> dict[str, str]:
    """The baseline that the step itself names; empty without one. Raises ``Undefined`` for half of one."""
    found = {part: check[member] for part, member in SUPPLIED.items() if member in check}
    if len(found) == 1:
        missing = next(member for part, member in SUPPLIED.items() if part not in found)
        raise Undefined(f"a baseline is statistics and constraints: {missing} is missing")
    return found


def request_of(check: Check, arguments: dict[str, Any]) -> dict[str, Any]:
    """The job's ``arguments``, and the baseline to be checked against."""
    if check["SkipCheck"]:
        return arguments
    environment, inputs = dict(arguments.get("Environment") or {}), list(arguments.get("ProcessingInputs") or [])
    for part, (name, place) in _PLACES.items():
        uri = check["Baseline"][part]
        environment[name] = f"{place}/{uri.rpartition('/')[2]}"
        inputs.append(
            {
                "InputName": name,
                "AppManaged": False,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": place,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
        )
    return {**arguments, "Environment": environment, "ProcessingInputs": inputs}


def baseline_in(request: Mapping[str, Any]) -> dict[str, str]:
    """The baseline that a job is checked against, as ``request_of`` has put it there."""
    inputs = {each["InputName"]: each for each in request.get("ProcessingInputs") or ()}
    return {part: inputs[name]["S3Input"]["S3Uri"] for part, (name, _) in _PLACES.items() if name in inputs}


def metadata_of(check: Check, job: str) -> dict[str, Any]:
    """Of a step that runs: ``QualityCheck`` of its ``Metadata``."""
    told = ("CheckType", "ModelPackageGroupName", "SkipCheck", "RegisterNewBaseline")
    return {name: check[name] for name in told if name in check} | {"CheckJobArn": job}


def properties_of(check: Check) -> dict[str, str]:
    """What the step becomes when its job is done."""
    calculated = {part: f"{check['Output']}/{part.lower()}.json" for part in SUPPLIED}
    used = calculated if check["RegisterNewBaseline"] else check["Baseline"]
    return {f"CalculatedBaseline{part}": uri for part, uri in calculated.items()} | {
        f"BaselineUsedForDriftCheck{part}": uri for part, uri in used.items()
    }


def report_of(check: Check, job: Mapping[str, Any]) -> str | None:
    """Where the violations are told that the described ``job`` has found; ``None``: there are none."""
    if check["SkipCheck"] or not str(job.get("ExitMessage") or "").startswith(_VIOLATED):
        return None
    return f"{check['Output']}/constraint_violations.json"


def reason_of(report: str) -> str:
    return _REASON.format(report=report)
