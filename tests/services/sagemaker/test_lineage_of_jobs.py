"""The graph that jobs, models and endpoints leave by themselves: from an endpoint back to the bytes that trained it."""

from __future__ import annotations

import hashlib
import itertools
import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import BUCKET, XGBOOST, Bench, channel

_numbers = itertools.count()
METRIC = {"Name": "train:loss", "Regex": "loss=([0-9.]+)"}
SCRIPT = "for loss in 4 2 3; do echo loss=$loss; done; echo trained > /opt/ml/model/weights"


def unique(word: str) -> str:
    return f"tracked-{word}-{next(_numbers)}"


def eventually(ask: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What ``ask`` answers once it is something: the graph follows within moments."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer or time.monotonic() > deadline:
            assert answer
            return answer
        time.sleep(0.05)


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def train(bench: Bench, name: str, prefix: str, **changes: Any) -> dict[str, Any]:
    algorithm = bench.request(name, SCRIPT)["AlgorithmSpecification"]
    return bench.run(
        name,
        AlgorithmSpecification={**algorithm, "MetricDefinitions": [METRIC]},
        InputDataConfig=[channel("train", prefix)],
        HyperParameters={"eta": "0.1", "objective": "binary:logistic"},
        **changes,
    )


def component(bench: Bench, job: str, status: str = "Completed") -> dict[str, Any]:
    def ask() -> Any:
        try:
            found = bench.sagemaker.describe_trial_component(TrialComponentName=f"{job}-aws-training-job")
        except ClientError:
            return None
        return found if found["Status"]["PrimaryStatus"] == status else None

    found: dict[str, Any] = eventually(ask)
    return found


def test_a_job_is_a_trial_component(bench: Bench) -> None:
    experiment, trial = unique("exp"), unique("trial")
    bench.sagemaker.create_experiment(ExperimentName=experiment)
    bench.sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)
    name = unique("Tracked-Job")
    config = {"ExperimentName": experiment, "TrialName": trial, "TrialComponentDisplayName": "Training"}
    job = train(bench, name, "input/one", ExperimentConfig=config)
    assert bench.describe(name)["ExperimentConfig"] == config
    found = component(bench, name)
    assert found["TrialComponentName"] == f"{name}-aws-training-job".lower()
    assert found["DisplayName"] == "Training"
    assert found["Source"] == {"SourceArn": job["TrainingJobArn"], "SourceType": "SageMakerTrainingJob"}
    assert found["Parameters"] == {
        "eta": {"NumberValue": 0.1},
        "objective": {"StringValue": "binary:logistic"},
        "SageMaker.ImageUri": {"StringValue": XGBOOST},
        "SageMaker.InstanceCount": {"NumberValue": 1.0},
        "SageMaker.InstanceType": {"StringValue": "ml.m5.large"},
        "SageMaker.VolumeSizeInGB": {"NumberValue": 5.0},
    }
    assert found["InputArtifacts"] == {"train": {"MediaType": "text/csv", "Value": f"s3://{BUCKET}/input/one"}}
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert found["OutputArtifacts"] == {"SageMaker.ModelArtifact": {"Value": model}}
    assert (found["StartTime"], found["EndTime"]) == (job["TrainingStartTime"], job["TrainingEndTime"])
    (metric,) = found["Metrics"]
    assert [metric[key] for key in ("MetricName", "Count", "Min", "Max", "Avg", "Last")] == [
        "train:loss",
        *(3, 2.0, 4.0, 3.0, 3.0),
    ]
    assert metric["SourceArn"] == job["TrainingJobArn"]
    (summary,) = bench.sagemaker.list_trial_components(TrialName=trial)["TrialComponentSummaries"]
    assert summary["TrialComponentArn"] == found["TrialComponentArn"]
    by_source = bench.sagemaker.list_trial_components(SourceArn=job["TrainingJobArn"].lower())
    assert len(by_source["TrialComponentSummaries"]) == 1
    query = {"MetricName": "train:loss", "ResourceArn": job["TrainingJobArn"], "MetricStat": "Last"}
    answer = bench.server.client("sagemaker-metrics").batch_get_metrics(
        MetricQueries=[{**query, "Period": "IterationNumber", "XAxisType": "IterationNumber"}]
    )
    assert answer["MetricQueryResults"][0]["MetricValues"] == [4.0, 2.0, 3.0]
    search = bench.sagemaker.search(
        Resource="TrainingJob",
        SearchExpression={
            "Filters": [
                {"Name": "Metrics.train:loss", "Operator": "LessThan", "Value": "3.5"},
                {"Name": "HyperParameters.eta", "Operator": "Equals", "Value": "0.1"},
                {"Name": "TrainingJobName", "Operator": "In", "Value": f"other,{name}"},
            ],
            "NestedFilters": [
                {
                    "NestedPropertyName": "InputDataConfig",
                    "Filters": [
                        {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": "train"},
                        {
                            "Name": "InputDataConfig.DataSource.S3DataSource.S3Uri",
                            "Operator": "Contains",
                            "Value": "input/one",
                        },
                    ],
                }
            ],
        },
    )
    (record,) = search["Results"]
    assert record["TrainingJob"]["TrainingJobStatus"] == "Completed"
    assert record["TrainingJob"]["FinalMetricDataList"][0]["Value"] == 3.0


def test_an_experiment_that_is_not_there_is_refused_before_anything_runs(bench: Bench) -> None:
    other = unique("exp")
    bench.sagemaker.create_experiment(ExperimentName=other)
    trial = unique("trial")
    bench.sagemaker.create_trial(TrialName=trial, ExperimentName=other)
    for config, code in (
        ({"ExperimentName": "never-made"}, "ResourceNotFound"),
        ({"TrialName": "never-made"}, "ResourceNotFound"),
        ({"TrialName": trial, "ExperimentName": unique("exp")}, "ResourceNotFound"),
    ):
        with pytest.raises(ClientError) as error:
            bench.create(unique("refused"), ExperimentConfig=config)
        assert error.value.response["Error"]["Code"] == code


def test_without_a_trial_one_is_made(bench: Bench) -> None:
    experiment, name = unique("exp"), unique("untried")
    bench.sagemaker.create_experiment(ExperimentName=experiment)
    train(bench, name, "input/one", ExperimentConfig={"ExperimentName": experiment})
    component(bench, name)
    (trial,) = bench.sagemaker.list_trials(ExperimentName=experiment)["TrialSummaries"]
    (found,) = bench.sagemaker.list_trial_components(TrialName=trial["TrialName"])["TrialComponentSummaries"]
    assert found["TrialComponentSource"]["SourceType"] == "SageMakerTrainingJob"


def vertices(bench: Bench, start: str, direction: str = "Ascendants", **filters: Any) -> list[str]:
    answer = bench.sagemaker.query_lineage(StartArns=[start], Direction=direction, Filters=filters)
    return [each["Arn"] for each in answer["Vertices"]]


def deploy(bench: Bench, job: dict[str, Any]) -> str:
    """The ARN of an endpoint of the job's model; whether that serves is not lineage's matter."""
    name = unique("deployed")
    url = job["ModelArtifacts"]["S3ModelArtifacts"]
    container = {"Image": XGBOOST, "ModelDataUrl": url}
    bench.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=bench.role)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    arn: str = bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)["EndpointArn"]
    return arn


def test_which_data_trained_the_model_behind_this_endpoint(bench: Bench) -> None:
    prefix = unique("input/versions")
    bench.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/rows.csv", Body=b"1,2\n")
    first, second = unique("before"), unique("after")
    job = train(bench, first, prefix)
    bench.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/rows.csv", Body=b"3,4\n")
    later = train(bench, second, prefix)
    endpoints = [deploy(bench, each) for each in (job, later)]
    digests = []
    for arn, name, body in zip(endpoints, (first, second), (b"1,2\n", b"3,4\n"), strict=True):
        (context,) = eventually(lambda arn=arn: bench.sagemaker.list_contexts(SourceUri=arn)["ContextSummaries"])
        assert context["ContextType"] == "Endpoint"
        start = context["ContextArn"]
        (trained,) = eventually(lambda start=start: vertices(bench, start, Types=["TrainingJob"]))
        assert trained.endswith(f"{name}-aws-training-job")
        (data,) = vertices(bench, start, Types=["DataSet"])
        assert bench.sagemaker.describe_artifact(ArtifactArn=data)["Source"]["SourceUri"] == f"s3://{BUCKET}/{prefix}"
        (version,) = vertices(bench, start, Types=["DataSetVersion"])
        found = bench.sagemaker.describe_artifact(ArtifactArn=version)
        types = {each["SourceIdType"]: each["Value"] for each in found["Source"]["SourceTypes"]}
        assert types["S3ETag"] == hashlib.md5(body).hexdigest()
        assert found["Properties"]["Objects"] == "1" and found["Properties"]["Bytes"] == str(len(body))
        digests.append(found["Properties"]["Sha256"])
        # And down again: what became of this version of the data?
        assert start in vertices(bench, version, "Descendants", LineageTypes=["Context"])
    assert digests[0] != digests[1]
    for arn in endpoints:
        eventually(lambda arn=arn: removed(bench, arn.rpartition("/")[2]), 60)


def removed(bench: Bench, endpoint: str) -> bool:
    """Whether it could be deleted: not while it is being made."""
    try:
        bench.sagemaker.delete_endpoint(EndpointName=endpoint)
    except ClientError:
        return False
    return True


def test_the_same_data_is_the_same_version(bench: Bench) -> None:
    prefix = unique("input/same")
    for part in ("a", "b", "c"):
        bench.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{part}.csv", Body=part.encode())
    found = []
    for _ in range(2):
        name = unique("same")
        train(bench, name, prefix)
        arn = component(bench, name)["TrialComponentArn"]
        found.append(eventually(lambda arn=arn: vertices(bench, arn, Types=["DataSetVersion"])))
    assert found[0] == found[1] and len(found[0]) == 1
    jobs = eventually(lambda: len(vertices(bench, found[0][0], "Descendants", Types=["TrainingJob"])) == 2)
    assert jobs


@pytest.mark.slow
def test_the_graph_survives_kills_and_has_everything_once(start_server: Any) -> None:
    """A job, its model and endpoint, with the server killed right after each step is acknowledged."""
    server = start_server()
    bench = Bench(server)

    def kill() -> None:
        server.stop(signal.SIGKILL)
        server.start()
        bench.connect()

    bench.create("lasting", SCRIPT, InputDataConfig=[channel("train", "input/one")])
    kill()
    job = bench.ended("lasting")
    kill()
    url = job["ModelArtifacts"]["S3ModelArtifacts"]
    bench.sagemaker.create_model(
        ModelName="m", PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": url}, ExecutionRoleArn=bench.role
    )
    kill()
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    bench.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    arn = bench.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")["EndpointArn"]
    kill()
    (context,) = eventually(lambda: bench.sagemaker.list_contexts(SourceUri=arn)["ContextSummaries"])
    start = context["ContextArn"]
    found = eventually(lambda: [each for each in [vertices(bench, start)] if len(each) >= 6])
    kinds = sorted(
        each.get("Type", "")
        for each in bench.sagemaker.query_lineage(StartArns=[start], Direction="Ascendants")["Vertices"]
    )
    assert kinds == ["DataSet", "DataSetVersion", "Image", "Model", "ModelDeployment", "TrainingJob"], json.dumps(found)
    edges = bench.sagemaker.query_lineage(StartArns=[start], Direction="Ascendants", IncludeEdges=True)["Edges"]
    assert len(edges) == len({(each["SourceArn"], each["DestinationArn"]) for each in edges}) == 8


def test_a_package_stands_between_its_contents_and_its_group(bench: Bench) -> None:
    job = train(bench, unique("packed"), "input/one")
    url, group = job["ModelArtifacts"]["S3ModelArtifacts"], unique("group")
    group_arn = bench.sagemaker.create_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    arn = bench.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    bench.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    (package,) = eventually(lambda: bench.sagemaker.list_artifacts(SourceUri=arn)["ArtifactSummaries"])
    start = package["ArtifactArn"]
    actions = eventually(
        lambda: [each for each in [bench.sagemaker.list_actions(SourceUri=arn)["ActionSummaries"]] if len(each) == 2]
    )[0]
    assert {each["ActionType"] for each in actions} == {"Approval"}
    above = bench.sagemaker.query_lineage(StartArns=[start], Direction="Ascendants")["Vertices"]
    assert {each["Type"] for each in above} >= {"Image", "Model", "Approval", "TrainingJob", "DataSet"}
    (context,) = vertices(bench, start, "Descendants", LineageTypes=["Context"])
    described = bench.sagemaker.describe_context(ContextName=context.rpartition("/")[2])
    assert (described["ContextType"], described["Source"]["SourceUri"]) == ("ModelGroup", group_arn)


def test_what_one_job_made_the_next_one_read(bench: Bench) -> None:
    """Raw data → a processing job → features → a training job: one chain, and the image that both used."""
    name, features = unique("prepare"), f"s3://{BUCKET}/{unique('features')}"
    raw = f"s3://{BUCKET}/input/one"
    bench.sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=bench.role,
        AppSpecification={
            "ImageUri": XGBOOST,
            "ContainerEntrypoint": ["/bin/sh", "-c", "cp /opt/ml/processing/raw/* /opt/ml/processing/features"],
        },
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}},
        ProcessingInputs=[
            {
                "InputName": "raw",
                "S3Input": {
                    "S3Uri": raw,
                    "LocalPath": "/opt/ml/processing/raw",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "features",
                    "S3Output": {
                        "S3Uri": features,
                        "LocalPath": "/opt/ml/processing/features",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    )
    describe = bench.sagemaker.describe_processing_job
    eventually(lambda: describe(ProcessingJobName=name)["ProcessingJobStatus"] == "Completed", 60)
    training = unique("learned")
    train(bench, training, features.removeprefix(f"s3://{BUCKET}/"))
    start = component(bench, training)["TrialComponentArn"]
    (made_by,) = eventually(lambda: vertices(bench, start, Types=["ProcessingJob"]))
    found = bench.sagemaker.describe_trial_component(TrialComponentName=made_by.rpartition("/")[2])
    assert found["TrialComponentName"] == f"{name}-aws-processing-job"
    assert found["InputArtifacts"] == {"SageMaker.ImageUri": {"Value": XGBOOST}, "raw": {"Value": raw}}
    assert found["OutputArtifacts"] == {"features": {"Value": features}}
    assert found["Source"]["SourceType"] == "SageMakerProcessingJob"
    assert found["Status"]["PrimaryStatus"] == "Completed"
    sources = {
        bench.sagemaker.describe_artifact(ArtifactArn=arn)["Source"]["SourceUri"]
        for arn in vertices(bench, start, Types=["DataSet"])
    }
    assert sources == {raw, features}
    assert len(vertices(bench, start, Types=["DataSetVersion"])) == 2
