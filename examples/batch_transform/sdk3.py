"""The same model again by SageMaker Python SDK v3: its Transformer, and the core resource TransformJob.

sdk3.py MODEL     the model's name, as main.py prints it
"""

import json
import sys
from time import time

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import TransformJob
from sagemaker.core.shapes import (
    TransformDataSource,
    TransformInput,
    TransformOutput,
    TransformResources,
    TransformS3DataSource,
)
from sagemaker.core.transformer import Transformer

model = sys.argv[1]
session = Session()
bucket = session.default_bucket()
s3 = boto3.client("s3")


def scores(key: str) -> list[float]:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return [float(line.rpartition(",")[2]) for line in body.splitlines()]


lines = s3.get_object(Bucket=bucket, Key="batch/in/patients.csv")["Body"].read().decode().splitlines()
features = "".join(line.partition(",")[2] + "\n" for line in lines)
s3.put_object(Bucket=bucket, Key="batch/features/patients.csv", Body=features.encode())

transformer = Transformer(
    model_name=model,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{bucket}/batch/sdk3",
    sagemaker_session=session,
)
transformer.transform(
    f"s3://{bucket}/batch/features/", content_type="text/csv", split_type="Line", join_source="Input", logs=False
)
joined = scores("batch/sdk3/patients.csv.out")

source = TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{bucket}/batch/features/")
job = TransformJob.create(
    transform_job_name=f"core-{int(time())}",
    model_name=model,
    batch_strategy="SingleRecord",
    max_concurrent_transforms=2,
    transform_input=TransformInput(
        data_source=TransformDataSource(s3_data_source=source), content_type="text/csv", split_type="Line"
    ),
    transform_output=TransformOutput(
        s3_output_path=f"s3://{bucket}/batch/core", accept="text/csv", assemble_with="Line"
    ),
    transform_resources=TransformResources(instance_type="ml.m5.xlarge", instance_count=1),
)
job.wait(poll=1)
alone = scores("batch/core/patients.csv.out")
assert alone == joined == scores("batch/out/patients.csv.out")
print("RESULT " + json.dumps({"records": len(alone), "status": job.transform_job_status}))
