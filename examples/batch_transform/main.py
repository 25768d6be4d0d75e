"""Batch transform with SageMaker Python SDK v2: a whole file through a model, an id kept from the model and joined to
its answer, and what went in and came out captured for monitoring.

main.py DATA     DATA holds train/, validation/ and test/ as CSV, label first
"""

import json
import sys
from pathlib import Path

import boto3
import numpy as np
import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import BatchDataCaptureConfig, TrainingInput

data = Path(sys.argv[1])
session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
s3 = boto3.client("s3")


def lines(key: str) -> list[str]:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()


rows = np.loadtxt(data / "test" / "test.csv", delimiter=",")
labels = rows[:, 0]
text = "".join(f"patient-{number}," + ",".join(map(repr, row[1:].tolist())) + "\n" for number, row in enumerate(rows))
s3.put_object(Bucket=bucket, Key="batch/in/patients.csv", Body=text.encode())

estimator = Estimator(
    image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/batch/models",
    sagemaker_session=session,
    hyperparameters={"objective": "binary:logistic", "num_round": 20, "max_depth": 3},
)
channels = {
    name: TrainingInput(session.upload_data(str(data / name), bucket, f"batch/{name}"), content_type="text/csv")
    for name in ("train", "validation")
}
estimator.fit(channels, logs="None")

transformer = estimator.transformer(
    instance_count=1,
    instance_type="ml.m5.xlarge",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{bucket}/batch/out",
    max_payload=6,
)
capture = BatchDataCaptureConfig(f"s3://{bucket}/batch/captured", generate_inference_id=False)
transformer.transform(
    f"s3://{bucket}/batch/in/",
    content_type="text/csv",
    split_type="Line",
    input_filter="$[1:]",
    join_source="Input",
    output_filter="$[0,-1]",
    batch_data_capture_config=capture,
    logs=True,
)
job = session.describe_transform_job(transformer.latest_transform_job.name)
assert job["TransformJobStatus"] == "Completed", job
found = [line.split(",") for line in lines("batch/out/patients.csv.out")]
assert [name for name, _ in found] == [f"patient-{number}" for number in range(len(rows))]
accuracy = float(np.mean((np.array([float(score) for _, score in found]) > 0.5) == labels))
captured = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="batch/captured/output/")["Contents"]]
assert json.loads("".join(lines(captured[-1])))[1:] == ["patients.csv.out"]
print("RESULT " + json.dumps({"accuracy": accuracy, "model": transformer.model_name, "first": found[0]}))
