"""The experiment and the trial of an execution's jobs: by default the pipeline's name and the execution's id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloche.engines.pipelines.expressions import evaluate
from cloche.engines.pipelines.references import Undefined
from cloche.foundation.clock import to_iso


class AtStart:
    """The ``Scope`` before any step has begun."""

    def __init__(self, request: Mapping[str, Any], arn: str, now: datetime) -> None:
        self._parameters = request["Parameters"]
        self._variables = {
            "StartDateTime": to_iso(now),
            "CurrentDateTime": to_iso(now),
            "PipelineName": request["PipelineName"],
            "PipelineArn": request["PipelineArn"],
            "PipelineExecutionId": arn.rpartition("/")[2],
            "PipelineExecutionArn": arn,
        }

    def parameter(self, name: str) -> Any:
        return self._parameters[name]

    def variable(self, name: str) -> Any:
        if name not in self._variables:
            raise Undefined(f"Execution.{name} is a step's")
        return self._variables[name]

    def properties(self, step: str) -> Any:
        raise Undefined(f"the step {step} has not run")

    def property_file(self, step: str, name: str) -> Any:
        raise Undefined(f"the step {step} has not run")

    def json_at(self, uri: str) -> Any:
        raise Undefined("no file is read before the first step")


def experiment_of(
    config: Mapping[str, Any] | None, request: Mapping[str, Any], arn: str, now: datetime
) -> dict[str, str] | None:
    """``PipelineExperimentConfig`` of an execution; ``None`` where its jobs are not tracked. Raises ``Undefined``."""
    if config is None:
        return None
    scope = AtStart(request, arn, now)
    found = {name: evaluate(config[name], scope) for name in ("ExperimentName", "TrialName") if config.get(name)}
    return {name: str(value) for name, value in found.items()} or None
