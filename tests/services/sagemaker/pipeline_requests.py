"""Definitions of pipelines, and waiting for what comes of their executions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training_requests import Bench

ENDED = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
Step = dict[str, Any]


def definition(*steps: Step, parameters: list[dict[str, Any]] | None = None, **members: Any) -> str:
    document = {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": list(steps)}
    return json.dumps({**document, **members})


def condition(name: str, *conditions: Step, then: list[Any] = [], other: list[Any] = [], **members: Any) -> Step:  # noqa: B006
    arguments = {"Conditions": list(conditions), "IfSteps": then, "ElseSteps": other}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **members}


def equals(left: Any, right: Any) -> Step:
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def fail(name: str, message: Any = "no good", **members: Any) -> Step:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **members}


def get(path: str) -> dict[str, str]:
    return {"Get": path}


@dataclass
class PipelineBench(Bench):
    """A ``Bench`` that pipelines are made and run on."""

    def training(self, name: str, script: str = "true", **members: Any) -> Step:
        arguments = {key: value for key, value in self.request(name, script).items() if key != "TrainingJobName"}
        arguments |= members.pop("Arguments", {})
        return {"Name": name, "Type": "Training", "Arguments": arguments, **members}

    def pipeline(self, name: str, *steps: Step, **members: Any) -> str:
        text = definition(*steps, **members)
        answer = self.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=self.role)
        return str(answer["PipelineArn"])

    def start(self, name: str, parameters: dict[str, str] | None = None, **members: Any) -> str:
        given = [{"Name": key, "Value": value} for key, value in (parameters or {}).items()]
        if given:
            members["PipelineParameters"] = given
        return str(self.sagemaker.start_pipeline_execution(PipelineName=name, **members)["PipelineExecutionArn"])

    def execution(self, arn: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return answer

    def steps(self, arn: str) -> list[dict[str, Any]]:
        """Oldest first, all pages."""
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        return [step for page in pages for step in page["PipelineExecutionSteps"]]

    def step(self, arn: str, name: str) -> dict[str, Any]:
        return next(step for step in self.steps(arn) if step["StepName"] == name)

    def execution_ended(self, arn: str, seconds: float = 60) -> dict[str, Any]:
        self.until(lambda: self.execution(arn)["PipelineExecutionStatus"] in ENDED, seconds, lambda: self.steps(arn))
        return self.execution(arn)

    def until(self, test: Callable[[], bool], seconds: float = 60, tell: Callable[[], Any] = lambda: "") -> None:
        deadline = time.monotonic() + seconds
        while not test():
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not come to pass: {tell()}\n{self.server.log()[-3000:]}")
            time.sleep(0.02)

    def run_pipeline(self, name: str, *steps: Step, seconds: float = 60, **members: Any) -> tuple[str, dict[str, Any]]:
        self.pipeline(name, *steps, **members)
        arn = self.start(name)
        return arn, self.execution_ended(arn, seconds)
