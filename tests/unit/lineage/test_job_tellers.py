"""What jobs say to the graph and to experiments, from records alone: of tuning jobs, pipelines, and odd requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.experiments import Point, memberships, series
from cloche.engines.experiments.summaries import metrics_in
from cloche.server.lineage_following import follow
from cloche.server.wiring import MIGRATIONS
from cloche.storage.metadata import changes as record_changes
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metadata.records import Record

HOME = {"account": "123456789012", "region": "us-east-1"}
ARN = "arn:aws:sagemaker:us-east-1:123456789012"
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": "image"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://d"}}, "ContentType": "text/csv;x=1"}
    ],
    "HyperParameters": {"eta": "0.1", "name": "x" * 3000, "huge": "inf", "odd": "nan", "text": '"a"'},
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, MIGRATIONS)
    yield made
    made.close()


def job(database: Database, name: str, noun: str = "TrainingJob", **request: Any) -> str:
    arn = f"{ARN}:training-job/{name}"

    def change(tx: Any) -> None:
        given = {**TRAINING, **request} if noun == "TrainingJob" else request
        records.insert(tx, **HOME, kind=f"sagemaker/{noun}", name=name, arn=arn, at=1.0, request=given)
        records.set_status(tx, arn, "InProgress", state={})
        follow(tx, [record_changes._change(row) for row in tx.execute("SELECT * FROM changes ORDER BY sequence")])
        tx.execute("DELETE FROM changes")

    database.write(change)
    return arn


def found(database: Database, noun: str, name: str) -> Record:
    record = records.find(database.reader, *HOME.values(), f"sagemaker/{noun}", name)
    assert record is not None
    return record


def test_parameters_are_numbers_or_text_within_their_bounds(database: Database) -> None:
    job(database, "one")
    request = found(database, "TrialComponent", "one-aws-training-job").request
    given = request["Parameters"]
    assert given["eta"] == {"NumberValue": 0.1}
    assert given["huge"] == {"StringValue": "inf"} and given["odd"] == {"StringValue": "nan"}
    assert given["text"] == {"StringValue": '"a"'}
    assert len(given["name"]["StringValue"]) == 2500
    assert request["InputArtifacts"]["train"] == {"Value": "s3://d", "MediaType": "text/csv"}


def test_the_jobs_of_a_tuning_job_stand_in_its_experiment(database: Database) -> None:
    tuning = f"{ARN}:hyper-parameter-tuning-job/search"
    for name in ("search-001", "search-002"):
        job(database, name, TuningJobArn=tuning)
    experiment = found(database, "Experiment", "search")
    assert experiment.state["source"] == {"SourceArn": tuning, "SourceType": "SageMakerHyperParameterTuningJob"}
    trial = found(database, "Trial", "search-aws-trial")
    assert trial.request["ExperimentName"] == "search"
    assert len(memberships.components_of(database.reader, trial.arn, 10)) == 2


def test_a_component_that_was_taken_out_of_its_trial_stays_out(database: Database) -> None:
    job(database, "one", ExperimentConfig={"ExperimentName": "mine"})
    component, trial = (
        found(database, "TrialComponent", "one-aws-training-job"),
        found(database, "Trial", "one-aws-trial"),
    )

    def change(tx: Any) -> None:
        assert memberships.remove(tx, component.arn, trial.arn)
        records.set_status(tx, f"{ARN}:training-job/one", "Stopped", state={"secondary_status": "Stopped"})
        follow(tx, [record_changes._change(row) for row in tx.execute("SELECT * FROM changes ORDER BY sequence")])

    database.write(change)
    assert memberships.trials_of(database.reader, component.arn) == []
    held = found(database, "TrialComponent", "one-aws-training-job")
    assert held.request["Status"]["PrimaryStatus"] == "Stopped"


def test_what_a_pipeline_makes_is_associated_with_its_execution(database: Database) -> None:
    execution = f"{ARN}:pipeline/p/execution/abc123"
    arn = job(database, "step", PipelineExecutionArn=execution, PipelineStepName="Train", PipelineStepAttempt=1)
    assert tags.read(database.reader, arn) == [("sagemaker:pipeline-execution-arn", execution)]
    context = found(database, "Context", "pipelines-abc123-aws-pipeline-execution")
    assert context.request["Source"]["SourceUri"] == execution
    edge = database.reader.execute("SELECT source FROM lineage_edges WHERE destination = ?", (context.arn,)).fetchone()
    assert edge[0] == found(database, "TrialComponent", "step-aws-training-job").arn


def test_requests_with_nothing_in_them_are_no_reason_to_stop(database: Database) -> None:
    """Whatever a job leaves out, the follower goes on: one job that cannot be told would hold up all others."""
    job(database, "bare", InputDataConfig=None, HyperParameters=None, ResourceConfig=None)
    job(
        database,
        "processing",
        "ProcessingJob",
        AppSpecification={"ImageUri": "image"},
        ProcessingInputs=[{"InputName": "definition", "DatasetDefinition": {}}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "features", "FeatureStoreOutput": {}}]},
        ProcessingResources={"ClusterConfig": {}},
    )
    job(
        database,
        "transform",
        "TransformJob",
        ModelName="never-there",
        TransformInput={"DataSource": {"S3DataSource": {"S3Uri": "s3://in"}}},
        TransformOutput={"S3OutputPath": "s3://out"},
        TransformResources={},
    )
    for name in ("bare-aws-training-job", "processing-aws-processing-job", "transform-aws-transform-job"):
        assert found(database, "TrialComponent", name).request["Status"]["PrimaryStatus"] == "InProgress"


def test_a_job_made_anew_under_a_name_begins_with_no_numbers(database: Database) -> None:
    arn = job(database, "one", ExperimentConfig={"ExperimentName": "mine"})
    component = found(database, "TrialComponent", "one-aws-training-job")

    def again(tx: Any) -> None:
        series.append(tx, component, [Point("loss", 1.0, 0.5, 0)])
        records.remove(tx, arn)
        follow(tx, [record_changes._change(row) for row in tx.execute("SELECT * FROM changes ORDER BY sequence")])
        tx.execute("DELETE FROM changes")

    database.write(again)
    held = found(database, "TrialComponent", "one-aws-training-job")
    assert metrics_in(held.state)["loss"]["count"] == 1  # what was measured outlives the job
    made = {"kind": "sagemaker/TrainingJob", "name": "one", "arn": arn, "at": 2.0, "request": TRAINING}

    def anew(tx: Any) -> None:
        records.insert(tx, **HOME, **made)
        follow(tx, [record_changes._change(row) for row in tx.execute("SELECT * FROM changes ORDER BY sequence")])

    database.write(anew)
    held = found(database, "TrialComponent", "one-aws-training-job")
    assert metrics_in(held.state) == {} and held.state["source"]["SourceArn"] == arn
    assert database.reader.execute("SELECT count(*) FROM run_points").fetchone()[0] == 0
