"""Data capture with the core resources of SageMaker Python SDK v3.

sdk3.py MODEL     the model's name, as main.py prints it
"""

import json
import sys
from time import sleep, time

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig
from sagemaker.core.shapes import CaptureContentTypeHeader, CaptureOption, DataCaptureConfig, ProductionVariant

model = sys.argv[1]
bucket = Session().default_bucket()
s3 = boto3.client("s3")
name = f"captured-{int(time())}"

EndpointConfig.create(
    endpoint_config_name=name,
    production_variants=[
        ProductionVariant(
            variant_name="AllTraffic", model_name=model, instance_type="ml.m5.large", initial_instance_count=1
        )
    ],
    data_capture_config=DataCaptureConfig(
        initial_sampling_percentage=100,
        destination_s3_uri=f"s3://{bucket}/capture/sdk3",
        capture_options=[CaptureOption(capture_mode="InputAndOutput")],
        capture_content_type_header=CaptureContentTypeHeader(csv_content_types=["text/csv"]),
    ),
)
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1)
answer = endpoint.invoke(body="1,3", content_type="text/csv", inference_id="by SDK 3").body.read().decode()
summary = Endpoint.get(name).data_capture_config
while not (found := s3.list_objects_v2(Bucket=bucket, Prefix=f"capture/sdk3/{name}/").get("Contents")):
    sleep(0.5)
record = json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())
assert record["captureData"]["endpointInput"]["data"] == "1,3"
assert record["captureData"]["endpointOutput"]["data"] == answer
endpoint.delete()
print("RESULT " + json.dumps({"status": summary.capture_status, "id": record["eventMetadata"]["inferenceId"]}))
