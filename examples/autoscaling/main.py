"""An endpoint that grows with its load and shrinks when it is gone, in plain boto3; half an hour on a turned clock."""

import io
import json
import subprocess
import tarfile

import boto3

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
SCRIPT = """
def model_fn(folder):
    return "model"

def predict_fn(data, model):
    return "served"

def input_fn(body, content_type):
    return body

def output_fn(said, accept):
    return said, "text/plain"
"""
session = boto3.Session()
s3, sagemaker, runtime = session.client("s3"), session.client("sagemaker"), session.client("sagemaker-runtime")
scaling = session.client("application-autoscaling")
account = session.client("sts").get_caller_identity()["Account"]
role = f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole"
bucket, name = "example-autoscaling", "autoscaled"


def archive(**files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for file, text in files.items():
            entry = tarfile.TarInfo(file.replace("_", "."))
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def clock(*words):
    subprocess.run(["cloche", "clock", *words], check=True, stdout=subprocess.DEVNULL)


def instances():
    return sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"]


def minute(requests):
    """So many requests, and a minute passes."""
    for _ in range(requests):
        runtime.invoke_endpoint(EndpointName=name, Body="?", ContentType="text/csv")["Body"].read()
    clock("advance", "1m")
    seen.append(instances())
    print(f"{requests:3} requests a minute, {seen[-1]} instance(s)")


s3.create_bucket(Bucket=bucket)
s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=archive())
s3.put_object(Bucket=bucket, Key="sourcedir.tar.gz", Body=archive(inference_py=SCRIPT))
environment = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{bucket}/sourcedir.tar.gz",
}
container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz", "Environment": environment}
sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
variant = {"VariantName": "All", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})

about = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{name}/variant/All",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
scaling.register_scalable_target(**about, MinCapacity=1, MaxCapacity=3)
scaling.put_scaling_policy(
    **about,
    PolicyName="ten-a-minute",
    PolicyType="TargetTrackingScaling",
    TargetTrackingScalingPolicyConfiguration={
        "TargetValue": 10,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "ScaleOutCooldown": 60,
        "ScaleInCooldown": 60,
    },
)
seen = []
clock("freeze")
try:
    for _ in range(3):
        minute(25)
    minute(25)
    minute(2)
    clock("advance", "20m")
    seen.append(instances())
    print(f"twenty minutes later, {seen[-1]} instance(s)")
finally:
    clock("resume")
activities = scaling.describe_scaling_activities(ServiceNamespace="sagemaker", ResourceId=about["ResourceId"])
told = [each["Description"] for each in reversed(activities["ScalingActivities"])]
for each in reversed(activities["ScalingActivities"]):
    print(each["StatusCode"], "-", each["StatusMessage"])
    print("   because:", each["Cause"])
sagemaker.delete_endpoint(EndpointName=name)  # and with it the target, its policy and the policy's alarms
print("RESULT " + json.dumps({"seen": seen, "told": told}))
