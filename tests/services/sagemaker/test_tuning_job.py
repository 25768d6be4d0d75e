"""The story of tuning jobs, told by unmodified boto3 clients to a real server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tuning_requests import TuningBench, number, refused


@pytest.fixture(scope="module")
def bench(server: Any) -> TuningBench:
    return TuningBench(server)


def loss_at(trial: dict[str, Any]) -> float:
    return (float(trial["TunedHyperParameters"]["place"]) - 0.3) ** 2 + 1


def test_a_tuning_job_from_creation_to_its_best_training_job(bench: TuningBench) -> None:
    arn = bench.create("tuned", bench.config(jobs=5), Tags=[{"Key": "team", "Value": "glass"}])
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tuned"
    job = bench.ended("tuned")
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    assert job["TrainingJobStatusCounters"] == {
        "Completed": 5,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 5, "Pending": 0, "Failed": 0}
    trials = bench.trials("tuned")
    assert [re.sub("[0-9a-f]{8}$", "", trial["TrainingJobName"]) for trial in trials] == [
        f"tuned-00{number}-" for number in (5, 4, 3, 2, 1)
    ]
    losses = {each["TrainingJobName"]: loss_at(each) for each in trials}
    for trial in trials:
        told = trial["FinalHyperParameterTuningJobObjectiveMetric"]
        assert told == {
            "Type": "Minimize",
            "MetricName": "loss",
            "Value": pytest.approx(losses[trial["TrainingJobName"]], abs=1e-6),
        }
        assert trial["TrainingJobStatus"] == "Completed"
        assert trial["ObjectiveStatus"] == "Succeeded"
        assert trial["CreationTime"] <= trial["TrainingStartTime"] <= trial["TrainingEndTime"]
    assert job["BestTrainingJob"]["TrainingJobName"] == min(losses, key=lambda name: losses[name])
    assert "OverallBestTrainingJob" not in job
    child = bench.training.describe(job["BestTrainingJob"]["TrainingJobName"])
    assert child["TuningJobArn"] == arn
    assert child["HyperParameters"]["place"] == job["BestTrainingJob"]["TunedHyperParameters"]["place"]
    assert child["HyperParameters"]["_tuning_objective_metric"] == "loss"
    tags = bench.sagemaker.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "glass"}]
    assert job["ConsumedResources"]["RuntimeInSeconds"] >= 1


def test_its_training_jobs_are_listed_in_any_order(bench: TuningBench) -> None:
    bench.run("ordered", bench.config(jobs=4))
    by_name = [each["TrainingJobName"] for each in bench.trials("ordered", SortBy="Name")]
    assert by_name == sorted(by_name)
    for order in ("Ascending", "Descending"):
        listed = bench.trials("ordered", SortBy="FinalObjectiveMetricValue", SortOrder=order)
        values = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in listed]
        assert values == sorted(values, reverse=order == "Descending") and len(values) == 4
    paged = bench.trials("ordered", SortBy="CreationTime", PaginationConfig={"PageSize": 1})
    assert [each["TrainingJobName"] for each in paged] == by_name
    assert bench.trials("ordered", StatusEquals="Failed") == []
    first = bench.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="ordered", MaxResults=3
    )
    code, _ = refused(
        lambda: bench.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="ordered", MaxResults=3, SortBy="Name", NextToken=first["NextToken"]
        )
    )
    assert code == "ValidationException"


def test_the_description_is_as_clients_need_it(bench: TuningBench) -> None:
    bench.create("described", bench.config(jobs=1))
    job = bench.describe("described")
    config = job["HyperParameterTuningJobConfig"]
    assert config["TrainingJobEarlyStoppingType"] == "Off"
    assert config["ParameterRanges"] == {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [number("place", "0", "1")],
        "CategoricalParameterRanges": [],
    }
    definition = job["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"]["_tuning_objective_metric"] == "loss"
    assert definition["AlgorithmSpecification"]["MetricDefinitions"] == [{"Name": "loss", "Regex": "loss=([0-9.]+);"}]
    assert definition["OutputDataConfig"]["KmsKeyId"] == ""
    assert "TrainingJobDefinitions" not in job
    listed = bench.sagemaker.list_hyper_parameter_tuning_jobs(NameContains="described")
    (summary,) = listed["HyperParameterTuningJobSummaries"]
    assert summary["Strategy"] == "Random"
    assert summary["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 2}
    bench.ended("described")


def test_a_stop_stops_the_training_jobs(bench: TuningBench) -> None:
    bench.create(
        "halted", bench.config(jobs=10), TrainingJobDefinition=bench.definition({"epochs-run": "600", "pause": "0.1"})
    )
    bench.until("halted", lambda job: job["TrainingJobStatusCounters"]["InProgress"] == 2)
    bench.until_trained("halted")
    bench.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="halted")
    bench.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="halted")
    job = bench.ended("halted")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2
    trials = bench.trials("halted")
    assert [each["TrainingJobStatus"] for each in trials] == ["Stopped", "Stopped"]
    code, words = refused(lambda: bench.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="halted"))
    assert (code, words) == (
        "ValidationException",
        "The request was rejected because the hyperparameter tuning job is in status Stopped.",
    )


def test_training_jobs_that_fail_fail_the_tuning_job(bench: TuningBench) -> None:
    job = bench.run("unlucky", bench.config(jobs=20), TrainingJobDefinition=bench.definition({"mode": "fail"}))
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    counters = job["TrainingJobStatusCounters"]
    assert counters["NonRetryableError"] >= 5 and counters["Completed"] == 0
    assert re.fullmatch(
        r"No training job succeeded after [5-7] attempts. Please take a look at the training job failures to get more "
        "details.",
        job["FailureReason"],
    )
    assert "BestTrainingJob" not in job
    failed = bench.trials("unlucky", StatusEquals="Failed")
    assert failed and all("no luck" in each["FailureReason"] for each in failed)
    assert all(each["ObjectiveStatus"] == "Failed" for each in failed)


def test_a_metric_that_is_never_printed_fails_the_tuning_job(bench: TuningBench) -> None:
    job = bench.run("mute", bench.config(jobs=2), TrainingJobDefinition=bench.definition({"mode": "silent"}))
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No objective metrics found after running 2 training jobs.")
    assert job["TrainingJobStatusCounters"]["Completed"] == 2
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 2}
    assert bench.trials("mute", SortBy="FinalObjectiveMetricValue") == []


def test_names_there_are_and_are_not(bench: TuningBench) -> None:
    assert refused(lambda: bench.describe("nobody")) == (
        "ResourceNotFound",
        "Amazon SageMaker can't find a tuning job called nobody. Type another name.",
    )
    assert refused(lambda: bench.trials("nobody"))[0] == "ResourceNotFound"
    bench.create("twice", bench.config(jobs=1))
    assert refused(lambda: bench.create("twice")) == (
        "ResourceInUse",
        "A hyperparameter tuning job with the name, twice, already exists. Choose a different name.",
    )
    code, _ = refused(lambda: bench.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="twice"))
    assert code == "ValidationException"
    bench.ended("twice")
    (child,) = bench.trials("twice")
    bench.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="twice")
    assert refused(lambda: bench.describe("twice"))[0] == "ResourceNotFound"
    assert bench.training.describe(child["TrainingJobName"])["TrainingJobStatus"] == "Completed"
