"""What an endpoint is asked and answers, kept in S3: data capture with SageMaker Python SDK v2.

main.py     deploys a script with capture, asks it, reads what was captured, and switches capture off and on again
"""

import io
import json
import tarfile
from pathlib import Path
from time import sleep

import boto3
import sagemaker
from sagemaker.deserializers import StringDeserializer
from sagemaker.model_monitor import DataCaptureConfig
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn import SKLearnModel

session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
s3 = boto3.client("s3")
script = Path(__file__).parent / "script" / "inference.py"

empty = io.BytesIO()
tarfile.open(fileobj=empty, mode="w:gz").close()
s3.put_object(Bucket=bucket, Key="capture/model.tar.gz", Body=empty.getvalue())
model = SKLearnModel(
    f"s3://{bucket}/capture/model.tar.gz",
    role,
    str(script),
    framework_version="1.2-1",
    py_version="py3",
    sagemaker_session=session,
)
capture = DataCaptureConfig(
    enable_capture=True, sampling_percentage=100, destination_s3_uri=f"s3://{bucket}/capture/data"
)
predictor = model.deploy(
    1, "ml.m5.large", serializer=CSVSerializer(), deserializer=StringDeserializer(), data_capture_config=capture
)


def described() -> dict:
    return session.describe_endpoint(predictor.endpoint_name)["DataCaptureConfig"]


def captured(wanted: set[str]) -> dict[str, dict]:
    """Inference id → record, once all that are wanted are there: within seconds; on AWS within a minute or two."""
    prefix = f"capture/data/{predictor.endpoint_name}/AllTraffic/"
    while True:
        found = {}
        for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
            for line in s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode().splitlines():
                record = json.loads(line)
                found[record["eventMetadata"]["inferenceId"]] = record["captureData"]
        if wanted <= set(found):
            return found
        sleep(0.5)


answers = {
    f"customer-{months}": predictor.predict([[months, 3]], inference_id=f"customer-{months}") for months in (1, 12, 60)
}
for name, record in captured(set(answers)).items():
    given, answer = record["endpointInput"], record["endpointOutput"]
    print(f"{name}: {given['data']!r} ({given['encoding']}) -> {answer['data']!r} ({answer['observedContentType']})")
    assert answer["data"] == answers[name]
statuses = [described()["CaptureStatus"]]

predictor.disable_data_capture()
statuses.append(described()["CaptureStatus"])
predictor.predict([[2, 2]], inference_id="unseen")

predictor.update_data_capture_config(
    DataCaptureConfig(
        enable_capture=True,
        sampling_percentage=100,
        destination_s3_uri=f"s3://{bucket}/capture/data",
        capture_options=["REQUEST"],
    )
)
statuses.append(described()["CaptureStatus"])
predictor.predict([[3, 3]], inference_id="last")
records = captured({"last"})
predictor.delete_endpoint()
print(
    "RESULT "
    + json.dumps(
        {
            "statuses": statuses,
            "records": sorted(records),
            "last": sorted(records["last"]),
            "model": model.name,
            "answer": answers["customer-1"],
        }
    )
)
