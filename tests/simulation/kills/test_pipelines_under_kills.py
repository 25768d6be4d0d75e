"""``kill -9`` of server, runners and steps' processes while 30 executions run side by side: each ends once, as it must.

A step whose own process is killed has failed, as its image's fault. One whose runner is killed is tried again, for its
policy says so. Whatever else is killed changes nothing.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .victims import Victims, kill

sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "sagemaker"))

from pipeline_requests import ENDED, PipelineBench, condition, equals, fail, get

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXECUTIONS = 30
KILLS = {"server": 4, "runner": 6, "process": 6}
SEED = int(os.environ.get("CLOCHE_KILLS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
AGAIN = [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 0, "MaxAttempts": 20}]


def define(bench: PipelineBench) -> None:
    """Two jobs, and a third or a Fail step behind a condition; one in three executions ends in the Fail step."""
    first = bench.training("first", "sleep 0.1", RetryPolicies=AGAIN)
    second = bench.training("second", "sleep 0.1", RetryPolicies=AGAIN, DependsOn=["first"])
    third = bench.training("third", RetryPolicies=AGAIN)
    end = fail("end", {"Std:Join": {"On": " ", "Values": ["after", get("Steps.second.TrainingJobStatus")]}})
    chosen = condition("choose", equals(get("Parameters.Good"), "yes"), then=[third], other=[end], DependsOn=["second"])
    parameters = [{"Name": "Good", "Type": "String", "DefaultValue": "yes"}]
    bench.pipeline("killed", first, second, chosen, parameters=parameters)


def strike(dice: random.Random, server: Any, bench: PipelineBench, victims: Victims, left: Counter[str]) -> set[str]:
    """One kill of those that are left; the names of jobs whose own process was killed."""
    what = dice.choice(sorted(left.elements()))
    if what == "server":
        server.stop(signal.SIGKILL)
        server.start()
        bench.connect()
    else:
        found = victims.runners("training-") if what == "runner" else victims.jobs("training-")
        if not found:
            return set()
        victim = dice.choice(found)
        if not kill(victim.pid):
            return set()
        left[what] -= 1
        return {victim.id} if what == "process" else set()
    left[what] -= 1
    return set()


def test_thirty_executions_end_as_they_must(start_server: Callable[..., Any]) -> None:
    server, dice = start_server(), random.Random(SEED)
    bench, victims = PipelineBench(server), Victims(server.data)
    define(bench)
    wanted = {bench.start("killed", {"Good": "no" if n % 3 == 0 else "yes"}): n % 3 != 0 for n in range(EXECUTIONS)}
    left, struck = Counter(KILLS), set[str]()
    deadline = time.monotonic() + 240
    open_ = set(wanted)
    while open_:
        assert time.monotonic() < deadline, f"seed {SEED}: {open_} have not ended"
        if left.total():
            struck |= strike(dice, server, bench, victims, left)
        time.sleep(dice.uniform(0.0, 0.3) if left.total() else 0.1)
        open_ = {arn for arn in open_ if bench.execution(arn)["PipelineExecutionStatus"] not in ENDED}
    assert left["server"] == 0 and left.total() < 6, f"seed {SEED}: {left} were not killed"
    pages = bench.sagemaker.get_paginator("list_training_jobs").paginate(NameContains="pipelines-")
    jobs = {job["TrainingJobName"]: job["TrainingJobStatus"] for page in pages for job in page["TrainingJobSummaries"]}
    expected = 0
    for arn, is_good in wanted.items():
        steps = {step["StepName"]: step for step in bench.steps(arn)}
        told = f"seed {SEED}: {steps}"
        assert all(step["StepStatus"] in ("Succeeded", "Failed") for step in steps.values()), told
        made = {name: step["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2] for name, step in steps.items()
                if "TrainingJob" in step["Metadata"]}  # fmt: skip
        expected += sum(steps[name]["AttemptCount"] + 1 for name in made)
        broken = [name for name, job in made.items() if jobs[job] == "Failed"]
        for name in broken:
            assert any(made[name] in victim for victim in struck), told
            assert "exit code: 137" in steps[name]["FailureReason"], told
        demanded = ["first", "second", "choose", "third" if is_good else "end"]
        if broken:
            demanded = demanded[: demanded.index(broken[0]) + 1]
        assert list(steps) == demanded, told
        is_well = is_good and not broken
        assert bench.execution(arn)["PipelineExecutionStatus"] == ("Succeeded" if is_well else "Failed"), told
    assert len(jobs) == expected, f"seed {SEED}: {len(jobs)} jobs of {expected} attempts"
    assert Counter(jobs.values()).keys() <= {"Completed", "Failed"}
