"""A new model takes over an endpoint step by step, in plain boto3: a canary, watched, guarded by an alarm."""

import collections
import io
import json
import tarfile
import time
from pathlib import Path

import boto3

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
session = boto3.Session()
s3, sagemaker, runtime = session.client("s3"), session.client("sagemaker"), session.client("sagemaker-runtime")
account = session.client("sts").get_caller_identity()["Account"]
role = f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole"
bucket, name = "example-guarded-update", "guarded"


def archive(*files: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for file in files:
            tar.add(file, file.name)
    return packed.getvalue()


def configuration(word: str) -> str:
    """An endpoint configuration whose model answers ``word``."""
    environment = {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{bucket}/sourcedir.tar.gz",
        "WORD": word,
    }
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz", "Environment": environment}
    made = f"{name}-{word}"
    sagemaker.create_model(ModelName=made, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "All", "ModelName": made, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=made, ProductionVariants=[variant])
    return made


def answers(times: int) -> dict[str, int]:
    said = (runtime.invoke_endpoint(EndpointName=name, Body="?", ContentType="text/csv") for _ in range(times))
    return dict(collections.Counter(answer["Body"].read().decode() for answer in said))


s3.create_bucket(Bucket=bucket)
s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=archive())
s3.put_object(Bucket=bucket, Key="sourcedir.tar.gz", Body=archive(Path(__file__).parent / "script" / "inference.py"))
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration("old"))
new = configuration("new")
configuration("newer")  # for sdk3.py
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})

dimensions = {"EndpointName": name, "VariantName": "All", "EndpointConfigName": new}
session.client("cloudwatch").put_metric_alarm(
    AlarmName=f"{name}-errors",
    Namespace="AWS/SageMaker",
    MetricName="Invocation5XXErrors",
    Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
    Statistic="Sum",
    Period=60,
    EvaluationPeriods=1,
    Threshold=1,
    ComparisonOperator="GreaterThanOrEqualToThreshold",
    TreatMissingData="notBreaching",
)
sagemaker.update_endpoint(
    EndpointName=name,
    EndpointConfigName=new,
    DeploymentConfig={
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
                "WaitIntervalInSeconds": 4,
            },
            "TerminationWaitInSeconds": 2,
            "MaximumExecutionTimeoutInSeconds": 600,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"{name}-errors"}]},
    },
)
canary: dict[str, int] = {}
shown = ""
while (found := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Updating":
    (variant,) = found["PendingDeploymentSummary"]["ProductionVariants"]
    message = variant["VariantStatus"][0]["StatusMessage"]
    if message != shown:
        print(shown := message)
    if "Baking" in message and "canary" in message and not canary:
        print("of twenty requests:", canary := answers(20))
    time.sleep(0.2)
print(found["EndpointStatus"], "on", found["EndpointConfigName"], found.get("FailureReason", ""))
print("RESULT " + json.dumps({"canary": canary, "after": answers(8), "configuration": found["EndpointConfigName"]}))
