"""Experiments and lineage by unmodified SDKs."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import EXAMPLES, by, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_runs_of_sdk_v2(server: object, tmp_path: Path) -> None:
    script = str(EXAMPLES / "experiments/main.py")
    output = run(server, by("sagemaker2", script), tmp_path)
    answers = result(output)
    assert answers["runs"] == 3 and answers["best_rate"] == 1.0 and 0 < answers["loss"] < 0.6


@pytest.fixture(scope="module")
def deployed(server: object) -> tuple[str, str]:
    """(training job's ARN, endpoint's ARN); whether that serves is not lineage's matter."""
    sagemaker, s3 = server.client("sagemaker"), server.client("s3")  # type: ignore[attr-defined]
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    role = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
    s3.create_bucket(Bucket="lineage-journey")
    s3.put_object(Bucket="lineage-journey", Key="train/rows.csv", Body=b"1,2\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lineage-journey/train"}}
    name = "lineage-journey"
    sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=role,
        AlgorithmSpecification={
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c", "echo made > /opt/ml/model/weights"],
        },
        InputDataConfig=[{"ChannelName": "train", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": "s3://lineage-journey/output"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 300},
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 100}
    )
    job = sagemaker.describe_training_job(TrainingJobName=name)
    container = {"Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    arn: str = sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)["EndpointArn"]
    return job["TrainingJobArn"], arn


@pytest.mark.parametrize("sdk", ["sagemaker2", "sagemaker3"])
def test_lineage_of_the_sdks(server: object, deployed: tuple[str, str], sdk: str, tmp_path: Path) -> None:
    script = str(EXAMPLES / "lineage/main.py")
    job, endpoint = deployed
    output = run(server, by(sdk, script, endpoint), tmp_path)
    answers = result(output)
    assert answers["jobs"] == [job]
    assert answers["data"] == ["s3://lineage-journey/train"]
    assert answers["table"] == ["DataSet", "DataSetVersion", "Image", "Model"]


def test_runs_of_sdk_v3(server: object, tmp_path: Path) -> None:
    script = str(EXAMPLES / "experiments/sdk_v3.py")
    output = run(server, by("sagemaker3", script), tmp_path)
    answers = result(output)
    assert answers == {"runs": 2, "rest": [1.0, 8.0]}
