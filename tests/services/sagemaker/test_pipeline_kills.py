"""The server is killed while executions run side by side: each ends as it must, and nothing is done twice."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_requests import ENDED, PipelineBench, condition, equals, fail, get

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_executions_survive_kills(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = PipelineBench(server)
    ends = {True: fail("end", {"Std:Join": {"On": " ", "Values": ["after", get("Steps.second.TrainingJobName")]}})}
    for wanted in (True, False):
        chosen = condition("choose", equals(get("Steps.second.TrainingJobStatus"), "Completed"))
        chosen["Arguments"]["IfSteps"] = [ends[True]] if wanted else [bench.training("third")]
        steps = [bench.training("first", "sleep 0.5"), bench.training("beside"), condition("asked", equals(1, 1))]
        second = bench.training("second", DependsOn=["first", "asked"])
        bench.pipeline(f"killed-{wanted}", *steps, second, chosen)
    arns = [bench.start(f"killed-{number % 2 == 0}") for number in range(8)]
    dice = random.Random(20261125)
    deadline = time.monotonic() + 200
    kills = 0
    while True:
        states = [bench.execution(arn)["PipelineExecutionStatus"] for arn in arns]
        if all(state in ENDED for state in states):
            break
        assert time.monotonic() < deadline, states
        if kills < 5:
            time.sleep(dice.random() * 1.5)
            server.stop(signal.SIGKILL)
            kills += 1
            server.start()
            bench.connect()
        else:
            time.sleep(0.1)
    assert kills >= 3
    for number, (arn, state) in enumerate(zip(arns, states, strict=True)):
        assert state == ("Failed" if number % 2 == 0 else "Succeeded"), bench.steps(arn)
        steps = {step["StepName"]: step for step in bench.steps(arn)}
        assert list(steps)[-1] == ("end" if number % 2 == 0 else "third")
        assert all(step["AttemptCount"] == 0 for step in steps.values())
    pages = bench.sagemaker.get_paginator("list_training_jobs").paginate()
    jobs = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
    of_executions = Counter(job.split("-")[1] for job in jobs)
    assert of_executions == {arn.rpartition("/")[2]: 3 if n % 2 == 0 else 4 for n, arn in enumerate(arns)}
