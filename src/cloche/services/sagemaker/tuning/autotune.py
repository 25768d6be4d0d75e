"""What Autotune chooses where a request leaves it open.

AWS tells what is chosen, not how (docs.aws.amazon.com/sagemaker/latest/APIReference/API_Autotune.html). Here a numeric
``ValueHint`` becomes a range of a quarter to four times the hint (a tenth to ten times for fractions), within what the
algorithm recommends; a hint that is no positive number stays a static value. A built-in algorithm without any range or
hint is tuned over all it recommends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.services.sagemaker.images import described_image
from cloche.services.sagemaker.tuning.declared import declared_by
from cloche_jobs.algorithms.declarations import Hyperparameter, Hyperparameters

JOBS_PER_RANGE: Final = 10
JOBS_MAX: Final = 100
RETRIES: Final = 1


def resolved(request: Members) -> Members:
    """The request with everything decided; itself where Autotune is not asked for. Depends on nothing else."""
    if not request.get("Autotune"):
        return request
    config: Members = dict(request["HyperParameterTuningJobConfig"])
    definitions = []
    single = request.get("TrainingJobDefinition")
    for given in [single] if single else request.get("TrainingJobDefinitions") or ():
        ranges = (config if single else given).get("ParameterRanges" if single else "HyperParameterRanges")
        definition, chosen = _definition(given, ranges or {})
        if single:
            config["ParameterRanges"] = chosen
        else:
            definition["HyperParameterRanges"] = chosen
        definitions.append((definition, chosen))
    _complete(config, [chosen for _, chosen in definitions])
    made = {**request, "HyperParameterTuningJobConfig": config}
    if single:
        made["TrainingJobDefinition"] = definitions[0][0]
    else:
        made["TrainingJobDefinitions"] = [definition for definition, _ in definitions]
    return made


def _complete(config: Members, ranges: list[Members]) -> None:
    limits = dict(config["ResourceLimits"])
    criteria = dict(config.get("TuningJobCompletionCriteria") or {})
    if config["Strategy"] != "Grid":
        count = sum(len(each) for chosen in ranges for each in chosen.values())
        limits.setdefault("MaxNumberOfTrainingJobs", min(JOBS_MAX, max(JOBS_PER_RANGE, JOBS_PER_RANGE * count)))
    if config["Strategy"] in ("Bayesian", "Random"):
        config.setdefault("TrainingJobEarlyStoppingType", "Auto")
    criteria.setdefault("ConvergenceDetected", {"CompleteOnConvergence": "Enabled"})
    config.update(ResourceLimits=limits, TuningJobCompletionCriteria=criteria)


def _definition(given: Members, ranges: Members) -> tuple[Members, Members]:
    """(the definition, its ranges)."""
    definition = {**given}
    definition.setdefault("RetryStrategy", {"MaximumRetryAttempts": RETRIES})
    static = dict(given.get("StaticHyperParameters") or {})
    chosen: dict[str, list[Members]] = {
        kind: list(ranges.get(kind) or ())
        for kind in ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
    }
    declared = declared_by(described_image(given["AlgorithmSpecification"].get("TrainingImage") or ""), given)
    hints = {each["Name"]: each["ValueHint"] for each in ranges.get("AutoParameters") or ()}
    if not hints and not any(chosen.values()) and declared is not None:
        own = {declared.aliases.get(name, name) for name in static}
        for found in declared.declared:
            if found.tunable is not None and found.name not in own:
                _add(chosen, found.name, found, found.tunable.min or 0.0, found.tunable.max or 0.0)
    for name, hint in hints.items():
        if not _add_hinted(chosen, name, hint, declared):
            static[name] = hint
    definition["StaticHyperParameters"] = static
    return definition, chosen


def _add_hinted(chosen: dict[str, list[Members]], name: str, hint: str, declared: Hyperparameters | None) -> bool:
    """Whether the hyperparameter is eligible."""
    try:
        value = float(hint.strip('"'))
    except ValueError:
        return False
    found = None
    if declared is not None:
        own = declared.aliases.get(name, name)
        found = next((each for each in declared.declared if each.name == own), None)
        if found is None or found.tunable is None:
            return False
    if not 0 < value < float("inf"):
        if found is None or found.tunable is None or value != 0:
            return False
        _add(chosen, name, found, found.tunable.min or 0.0, found.tunable.max or 0.0)
        return True
    is_whole = found.type == "Integer" if found is not None else value.is_integer() and "." not in hint
    width = 4.0 if is_whole or value >= 1 else 10.0
    low, high = value / width, value * width
    if value < 1:
        high = min(high, 1.0)
    if is_whole:
        low = max(1.0, low // 1)
    if found is not None and found.tunable is not None:
        low = max(low, found.tunable.min if found.tunable.min is not None else low)
        high = min(high, found.tunable.max if found.tunable.max is not None else high)
    if low >= high:
        return False
    _add(chosen, name, found, low, high, is_whole=is_whole)
    return True


def _add(
    chosen: dict[str, list[Members]],
    name: str,
    found: Hyperparameter | None,
    low: float,
    high: float,
    *,
    is_whole: bool | None = None,
) -> None:
    whole = is_whole if is_whole is not None else found is not None and found.type == "Integer"
    shown: Mapping[str, Any] = {
        "Name": name,
        "MinValue": str(int(low)) if whole else repr(float(low)),
        "MaxValue": str(int(high)) if whole else repr(float(high)),
        "ScalingType": "Auto",
    }
    chosen["IntegerParameterRanges" if whole else "ContinuousParameterRanges"].append(dict(shown))
