"""How tuning jobs end by their completion criteria, and what is retried of their training jobs, through boto3.

What AWS says of each: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-progress.html (criteria stop the
tuning job, which is then ``Completed``), API_HyperParameterTuningJobCompletionDetails, API_TrainingJobStatusCounters,
API_RetryStrategy.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from tuning_requests import TuningBench


@pytest.fixture(scope="module")
def bench(server: Any) -> TuningBench:
    return TuningBench(server)


def grid(bench: TuningBench, places: list[str], criteria: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A search of these places in their order, one after the other: what ends it is told by the values alone."""
    config = bench.config("Grid", None, TuningJobCompletionCriteria=criteria, **changes)
    config["ParameterRanges"] = {"CategoricalParameterRanges": [{"Name": "place", "Values": places}]}
    config["ResourceLimits"]["MaxParallelTrainingJobs"] = 1
    return config


# The loss is (place - 0.3)² + 1: 0.3 has the best, and none of the others comes within 1 % of being better.
WORSE = [f"0.{digits}" for digits in range(400, 425)]


def test_so_many_without_improvement(bench: TuningBench) -> None:
    config = grid(
        bench, ["0.9", "0.3", *WORSE], {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    )
    job = bench.run("unimproved", config)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TuningJobCompletionDetails"] == {"NumberOfTrainingJobsObjectiveNotImproving": 3}
    assert job["TrainingJobStatusCounters"]["Completed"] == 5, "0.9, 0.3, and three that were no better"
    assert job["BestTrainingJob"]["TunedHyperParameters"]["place"] == "0.3"
    shown = job["HyperParameterTuningJobConfig"]["TuningJobCompletionCriteria"]
    assert shown == {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    assert "FailureReason" not in job


def test_convergence(bench: TuningBench) -> None:
    config = grid(bench, ["0.3", *WORSE], {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}})
    job = bench.run("converged", config)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    details = job["TuningJobCompletionDetails"]
    assert details.pop("NumberOfTrainingJobsObjectiveNotImproving") == 10
    (seen,) = details.values()
    assert job["CreationTime"] < seen == details["ConvergenceDetectedTime"] <= job["HyperParameterTuningEndTime"]
    assert job["TrainingJobStatusCounters"]["Completed"] == 11


@pytest.mark.slow
def test_the_time_of_all(start_server: Callable[..., Any]) -> None:
    """The model's least is two minutes: the server is killed, and when it comes back that time has passed."""
    server = start_server()
    bench = TuningBench(server)
    config = bench.config(jobs=None)
    config["ResourceLimits"]["MaxRuntimeInSeconds"] = 120
    slow = bench.definition({"epochs-run": "600", "pause": "0.1"})
    bench.create("timed", config, TrainingJobDefinition=slow)
    bench.until("timed", lambda job: job["TrainingJobStatusCounters"]["InProgress"] == 2)
    bench.until_trained("timed")
    assert bench.describe("timed")["HyperParameterTuningJobStatus"] == "InProgress"
    server.stop(signal.SIGKILL)
    (server.data / "clock.json").write_text(json.dumps({"ahead_seconds": 120.0, "stands_at": None}))
    server.start()
    bench.connect()
    job = bench.ended("timed")
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    assert "FailureReason" not in job
    assert job["ConsumedResources"]["RuntimeInSeconds"] >= 120
    took = job["HyperParameterTuningEndTime"] - job["CreationTime"]
    assert 120 <= took.total_seconds() <= job["ConsumedResources"]["RuntimeInSeconds"]
    counters = job["TrainingJobStatusCounters"]
    assert counters == {"Completed": 0, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 2}
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 0}
    assert {each["TrainingJobStatus"] for each in bench.trials("timed")} == {"Stopped"}
    assert "BestTrainingJob" in job, "what was stopped has told its metric"


def kill_runner(bench: TuningBench, training_job: str) -> None:
    """What watches over the training job's process is killed, as a host is lost."""
    bench.training.says(training_job, "loss=")
    folders = (bench.server.data / "run" / "processes").iterdir()
    folder = next(path for path in folders if f"-{training_job}-" in path.name)
    os.kill(int(json.loads((folder / "runner.json").read_text())["pid"]), signal.SIGKILL)


def test_a_training_job_is_retried_by_its_definitions_strategy(bench: TuningBench) -> None:
    slow = bench.definition({"epochs-run": "10", "pause": "0.1"}, RetryStrategy={"MaximumRetryAttempts": 2})
    bench.create("retried", bench.config(jobs=2), TrainingJobDefinition=slow)
    bench.until("retried", lambda job: job["TrainingJobStatusCounters"]["InProgress"] == 2)
    lost = bench.trials("retried")[0]["TrainingJobName"]
    kill_runner(bench, lost)
    job = bench.ended("retried")
    assert job["TrainingJobDefinition"]["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    counters = job["TrainingJobStatusCounters"]
    assert counters == {"Completed": 2, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    again = bench.sagemaker.describe_training_job(TrainingJobName=lost)
    steps = [each["Status"] for each in again["SecondaryStatusTransitions"]]
    assert steps.count("Training") == 2 and again["TrainingJobStatus"] == "Completed"
    assert again["RetryStrategy"] == {"MaximumRetryAttempts": 2}


def test_whose_fault_a_failure_was_is_counted(bench: TuningBench) -> None:
    config = bench.config("Grid", None)
    config["ParameterRanges"] = {"CategoricalParameterRanges": [{"Name": "mode", "Values": ["good", "fail", "lost"]}]}
    config["ResourceLimits"]["MaxParallelTrainingJobs"] = 3
    slow = bench.definition({"epochs-run": "10", "pause": "0.1"})
    bench.create("faults", config, TrainingJobDefinition=slow)
    bench.until("faults", lambda job: sum(job["TrainingJobStatusCounters"].values()) == 3)
    by_mode = {each["TunedHyperParameters"]["mode"]: each["TrainingJobName"] for each in bench.trials("faults")}
    kill_runner(bench, by_mode["lost"])
    job = bench.ended("faults")
    counters = job["TrainingJobStatusCounters"]
    assert counters == {"Completed": 1, "InProgress": 0, "RetryableError": 1, "NonRetryableError": 1, "Stopped": 0}
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 2}
    reasons = {each["TunedHyperParameters"]["mode"]: each.get("FailureReason", "") for each in bench.trials("faults")}
    assert reasons["lost"].startswith("InternalServerError: We encountered an internal error. Please try again.")
    assert reasons["fail"].startswith("AlgorithmError: ")
    assert reasons["good"] == ""
