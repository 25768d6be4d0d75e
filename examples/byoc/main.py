"""A container of one's own in plain boto3: trained, deployed, asked, sent a batch, taken down again."""

import random

import boto3

session = boto3.Session()
s3, sagemaker, runtime = session.client("s3"), session.client("sagemaker"), session.client("sagemaker-runtime")
account = session.client("sts").get_caller_identity()["Account"]
image = f"{account}.dkr.ecr.{session.region_name}.amazonaws.com/byoc-tree:latest"
role = f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole"
bucket, name = "example-byoc", "example-byoc"
waiting = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 600}}

numbers = random.Random(1)
points = [(numbers.uniform(0, 1), numbers.uniform(0, 1)) for _ in range(400)]
rows = [f"{'outer' if x > 0.6 or y > 0.7 else 'inner'},{x:.4f},{y:.4f}" for x, y in points]
s3.create_bucket(Bucket=bucket)
s3.put_object(Bucket=bucket, Key="train/points.csv", Body="\n".join(rows).encode())
s3.put_object(Bucket=bucket, Key="batch/points.csv", Body=b"0.1,0.1\n0.9,0.1\n0.1,0.9\n")


def s3_source(prefix: str) -> dict[str, dict[str, str]]:
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{prefix}"}}


sagemaker.create_training_job(
    TrainingJobName=name,
    RoleArn=role,
    AlgorithmSpecification={
        "TrainingImage": image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "train:accuracy", "Regex": "train-accuracy=([0-9.]+);"}],
    },
    HyperParameters={"max_depth": "3"},
    InputDataConfig=[{"ChannelName": "train", "DataSource": s3_source("train/")}],
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/output"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
)
sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name, **waiting)
job = sagemaker.describe_training_job(TrainingJobName=name)
assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
print("trained:", {metric["MetricName"]: round(metric["Value"], 3) for metric in job["FinalMetricDataList"]})

container = {"Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
variant = {"VariantName": "all", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, **waiting)
answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=b"0.2,0.3\n0.9,0.2")
print("asked:", answer["Body"].read().decode().split())

sagemaker.create_transform_job(
    TransformJobName=name,
    ModelName=name,
    TransformInput={"DataSource": s3_source("batch/"), "ContentType": "text/csv", "SplitType": "Line"},
    TransformOutput={"S3OutputPath": f"s3://{bucket}/answers", "AssembleWith": "Line"},
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)
sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name, **waiting)
answers = s3.get_object(Bucket=bucket, Key="answers/points.csv.out")["Body"].read()
print("batch:", answers.decode().split())

sagemaker.delete_endpoint(EndpointName=name)
sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, **waiting)
sagemaker.delete_endpoint_config(EndpointConfigName=name)
sagemaker.delete_model(ModelName=name)
print("taken down")
