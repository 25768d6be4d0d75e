"""Script mode in plain boto3: a scikit-learn script is trained on synthetic data, deployed and asked."""

import io
import json
import random
import tarfile
from pathlib import Path

import boto3

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
session = boto3.Session()
s3, sagemaker, runtime = session.client("s3"), session.client("sagemaker"), session.client("sagemaker-runtime")
account = session.client("sts").get_caller_identity()["Account"]
role = f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole"
bucket, name = "example-script-mode", "example-script-mode"

numbers = random.Random(1)
rows = []
for _ in range(500):
    x, y = numbers.uniform(-1, 1), numbers.uniform(-1, 1)
    rows.append(f"{3 * x - 2 * y + numbers.gauss(0, 0.05)},{x},{y}")
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:gz") as tar:
    tar.add(Path(__file__).parent / "source" / "train.py", "train.py")
s3.create_bucket(Bucket=bucket)
s3.put_object(Bucket=bucket, Key="data/train.csv", Body="\n".join(rows).encode())
s3.put_object(Bucket=bucket, Key="source/sourcedir.tar.gz", Body=archive.getvalue())
source = f"s3://{bucket}/source/sourcedir.tar.gz"

sagemaker.create_training_job(
    TrainingJobName=name,
    RoleArn=role,
    AlgorithmSpecification={
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "oob:r2", "Regex": "r2=([0-9.]+)"}],
    },
    HyperParameters={
        "sagemaker_program": json.dumps("train.py"),
        "sagemaker_submit_directory": json.dumps(source),
        "trees": "80",
    },
    InputDataConfig=[
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/data/"}},
        }
    ],
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/output"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
)
waiting = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 600}}
sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name, **waiting)
job = sagemaker.describe_training_job(TrainingJobName=name)
assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
print("trained:", {metric["MetricName"]: round(metric["Value"], 4) for metric in job["FinalMetricDataList"]})

container = {
    "Image": IMAGE,
    "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
    "Environment": {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": source},
}
variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, **waiting)
answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Accept="application/json", Body="0.5,-0.5")
print("asked for 3·0.5 + 2·0.5 = 2.5, it says", json.loads(answer["Body"].read()))

sagemaker.delete_endpoint(EndpointName=name)
sagemaker.delete_endpoint_config(EndpointConfigName=name)
sagemaker.delete_model(ModelName=name)
