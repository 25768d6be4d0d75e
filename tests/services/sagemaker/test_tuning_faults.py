"""A server that is killed while it tunes: every trial is run once, and the counts are right."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tuning_requests import TuningBench

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_killed_again_and_again(start_server: Callable[..., Any], strategy: str) -> None:
    server = start_server()
    bench = TuningBench(server)
    slow = bench.definition({"epochs-run": "4", "pause": "0.05"})
    bench.create("killed", bench.config(strategy, 8), TrainingJobDefinition=slow)
    for wait in (0.1, 0.35, 0.6):
        time.sleep(wait)  # at whatever it is
        server.stop(signal.SIGKILL)
        server.start()
        bench.connect()
    job = bench.ended("killed")
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    trials = bench.trials("killed")
    numbers = Counter(re.fullmatch(r"killed-(\d{3})-[0-9a-f]{8}", each["TrainingJobName"])[1] for each in trials)  # type: ignore[index]
    assert numbers == Counter(f"{number:03d}" for number in range(1, 9))
    made = bench.sagemaker.list_training_jobs(NameContains="killed-", MaxResults=100)["TrainingJobSummaries"]
    assert sorted(each["TrainingJobName"] for each in made) == sorted(each["TrainingJobName"] for each in trials)
    assert job["TrainingJobStatusCounters"]["Completed"] == 8
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 8, "Pending": 0, "Failed": 0}
    for each in trials:
        place = float(each["TunedHyperParameters"]["place"])
        value = each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        assert value == pytest.approx((place - 0.3) ** 2 + 0.25, abs=1e-5)
        assert sum("loss=" in line for line in bench.training.lines(each["TrainingJobName"])) == 4


def test_killed_while_it_stops(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = TuningBench(server)
    slow = bench.definition({"epochs-run": "600", "pause": "0.1"})
    bench.create("stopping", bench.config(jobs=10), TrainingJobDefinition=slow)
    bench.until("stopping", lambda job: job["TrainingJobStatusCounters"]["InProgress"] == 2)
    bench.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopping")
    server.stop(signal.SIGKILL)
    server.start()
    bench.connect()
    job = bench.ended("stopping")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    ended = {each["TrainingJobName"]: each["TrainingJobStatus"] for each in bench.trials("stopping")}
    reasons = [bench.sagemaker.describe_training_job(TrainingJobName=name).get("FailureReason") for name in ended]
    assert set(ended.values()) == {"Stopped"}, (ended, reasons)
