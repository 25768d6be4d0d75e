"""Whenever the server dies, 30 executions side by side end as their definitions demand, and no step is done twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.pipelines.steprows import rows_of
from cloche.storage.metadata import records

from .pipeline_world import FAULT, JOBS, LIMIT, PREFIX, THROTTLED, PipelineWorld, fails
from .world import ACCOUNT, REGION

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (9, 20, 21))]
KINDS = ("Training", "Training", "Model", "Lambda", "Callback", "Condition", "Condition", "Fail")


def random_definition(dice: random.Random, number: int) -> dict[str, Any]:
    """A dozen steps that wait for some of those before them, some of them in branches."""
    steps: list[dict[str, Any]] = []
    top: list[str] = []
    for index in range(dice.randrange(4, 14)):
        kind = dice.choice(KINDS)
        bad = kind == "Fail" or (kind in ("Training", "Lambda", "Callback") and dice.random() < 0.06)
        if kind == "Fail" and dice.random() < 0.7:
            kind, bad = "Training", False
        name = f"{'bad' if bad else 'good'}-{index}"
        step: dict[str, Any] = {"Name": name, "Type": kind, "Arguments": {}}
        depends = [other for other in top if dice.random() < 0.3 and not other.startswith("bad-fail")]
        if kind == "Fail":
            step["Name"] = name = f"bad-fail-{index}"
        if depends:
            step["DependsOn"] = depends
        if kind == "Training":
            step["Arguments"] = {"Step": name}
        elif kind == "Lambda":
            call = f"{number}/{name}"
            step |= {"FunctionArn": "f", "Arguments": {"step": name, "call": call}}
        elif kind == "Callback":
            step |= {"SqsQueueUrl": "q", "Arguments": {"step": name}}
        elif kind == "Condition":
            inner = {"Name": f"good-in-{index}", "Type": "Training", "Arguments": {"Step": f"good-in-{index}"}}
            outcome = dice.random() < 0.5
            condition = {"Type": "Equals", "LeftValue": 1, "RightValue": 1 if outcome else 2}
            step["Arguments"] = {"Conditions": [condition], "IfSteps": [inner]}
        steps.append(step)
        top.append(name)
    return {"Version": "2020-12-01", "Steps": steps}


def expected(definition: dict[str, Any]) -> dict[str, str]:
    """What becomes of every step if nobody stops the execution, told without the engine."""
    found: dict[str, str] = {}
    for step in definition["Steps"]:
        waits = [found[other] for other in step.get("DependsOn", ())]
        runs = all(state == "Succeeded" for state in waits)
        found[step["Name"]] = ("Failed" if fails(step["Name"]) else "Succeeded") if runs else "Skipped"
        for inner in step["Arguments"].get("IfSteps", ()):
            (condition,) = step["Arguments"]["Conditions"]
            taken = runs and condition["LeftValue"] == condition["RightValue"]
            found[inner["Name"]] = "Succeeded" if taken else "Skipped"
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


@pytest.mark.parametrize("seed", SEEDS)
def test_every_execution_ends_as_its_definition_demands(folder: Path, seed: int) -> None:
    world = PipelineWorld(folder, seed)
    for number in range(30):
        world.start(random_definition(world.dice, number))
    for _ in range(500):
        world.step()
    deaths = world.deaths
    world.settle()
    try:
        for arn in world.executions:
            check(world, arn)
        assert all(count == 1 for count in world.api.starts.values()), world.api.starts.most_common(3)
        assert all(job.status in ("Completed", "Failed", "Stopped") for job in world.api.jobs())
        assert deaths > 3
    finally:
        world.close()


def check(world: PipelineWorld, arn: str) -> None:
    record = records.find_arn(world.database.reader, arn)
    assert record is not None
    wanted = expected(world.executions[arn])
    held = {row.request["StepName"]: row for row in rows_of(world.database.reader, ACCOUNT, REGION, arn)}
    assert all(row.status in ("Succeeded", "Failed", "Stopped") for row in held.values())
    ends = "Failed" if "Failed" in wanted.values() else "Succeeded"
    if record.status != ends:
        assert arn in world.asked_to_stop, (record.status, ends)
        assert record.status in ("Stopped", "Failed")
    if record.status == "Succeeded":
        assert {name: row.status for name, row in held.items()} == {
            name: state for name, state in wanted.items() if state != "Skipped"
        }
    for name, row in held.items():
        assert wanted[name] in (row.status, "Succeeded" if row.status == "Stopped" else row.status, "Failed")
        assert wanted[name] != "Skipped"
        assert row.state["attempt"] <= world.retried[arn]
    made = {row.state["child"] for row in held.values() if "child" in row.state}
    number = arn.rpartition("/")[2]
    names = [name for name in world.api.starts if name.startswith(f"pipelines-{number}-")]
    latest = {name for name in names if any(f"{PREFIX}{path}/{name}" in made for _, path in JOBS.values())}
    assert len(names) - len(latest) <= world.retried[arn] * len(held), "a child without a step"


@pytest.mark.parametrize("seed", [3, 4])
def test_a_check_stands_by_the_baseline_its_job_was_given(folder: Path, seed: int) -> None:
    """Every look at the registry finds a newer baseline; what a step tells is what its job was held against."""
    world = PipelineWorld(folder, seed)
    output = {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/out"}}]}
    for _ in range(12):
        steps = [
            {
                "Name": name,
                "Type": "QualityCheck",
                "CheckType": "DATA_QUALITY",
                "ModelPackageGroupName": "g",
                "Arguments": {"Step": name, "ProcessingOutputConfig": output},
            }
            for name in ("good-check", "bad-check")
        ]
        world.start({"Version": "2020-12-01", "Steps": steps})
    for _ in range(300):
        world.step()
    deaths = world.deaths
    world.settle()
    try:
        assert deaths > 3 and all(count == 1 for count in world.api.starts.values())
        ended = 0
        for arn in world.executions:
            check(world, arn)
            for row in rows_of(world.database.reader, ACCOUNT, REGION, arn):
                told = row.state.get("metadata", {}).get("QualityCheck", {})
                job = records.find_arn(world.database.reader, told.get("CheckJobArn", ""))
                if job is None or row.status == "Stopped":
                    continue
                ended += 1
                uris = {each["InputName"]: each["S3Input"]["S3Uri"] for each in job.request["ProcessingInputs"]}
                assert uris["baseline_constraints"] == told["BaselineUsedForDriftCheckConstraints"]
                assert uris["baseline_statistics"] == told["BaselineUsedForDriftCheckStatistics"]
                assert ("ViolationReport" in told) == (row.status == "Failed") == fails(row.request["StepName"])
        assert ended > 10
    finally:
        world.close()


def test_a_function_is_called_once_unless_a_death_or_a_retry_came_between(folder: Path) -> None:
    world = PipelineWorld(folder, 5)
    definitions = [random_definition(world.dice, number) for number in range(10)]
    arns = [world.start(definition) for definition in definitions]
    world.settle()
    calls = dict(world.api.calls)
    world.close()
    assert len(arns) == 10
    assert calls and set(calls.values()) == {1}


def test_a_throttled_create_is_tried_again_after_growing_pauses(folder: Path) -> None:
    world = PipelineWorld(folder, 1)
    policy = {"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 7, "BackoffRate": 3, "MaxAttempts": 2}
    steps = [
        {"Name": "patient", "Type": "Training", "Arguments": {"Step": "patient"}},
        {"Name": "short", "Type": "Training", "Arguments": {"Step": "short"}, "RetryPolicies": [policy]},
        {"Name": "faulty", "Type": "Training", "Arguments": {"Step": "faulty"}},
        {"Name": "limited", "Type": "Training", "Arguments": {"Step": "limited"}},
    ]
    world.api.refusals = {
        "patient": [THROTTLED] * 4,
        "short": [THROTTLED] * 3,
        "limited": [LIMIT],
        "faulty": [FAULT] * 5,
    }
    arn = world.start({"Version": "2020-12-01", "Steps": steps}, limited=False)
    began = world.clock.seconds
    world.settle()
    held = {row.request["StepName"]: row for row in rows_of(world.database.reader, ACCOUNT, REGION, arn)}
    assert held["patient"].status == "Succeeded" and held["patient"].state["attempt"] == 4
    assert held["patient"].state["child"].endswith("-4")
    assert held["faulty"].status == "Succeeded" and held["faulty"].state["attempt"] == 5
    assert held["short"].status == "Failed" and held["short"].state["attempt"] == 2
    assert held["short"].state["ended_at"] - began >= 7 + 21
    assert (
        held["limited"]
        .state["failure_reason"]
        .endswith(
            f"with PipelineExecutionArn {arn} and StepId limited. "
            "No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT."
        )
    )
    world.close()
