"""Model Monitor with SageMaker's Python SDK 3: what a transform job captured, looked at once, now.

sdk3.py
"""

import json
import time

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.model_monitor import (
    BatchTransformInput,
    CronExpressionGenerator,
    DatasetFormat,
    DefaultModelMonitor,
    MonitoringDatasetFormat,
)

session = Session()
bucket, s3 = session.default_bucket(), boto3.client("s3")
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
place = f"monitor3-{time.strftime('%H%M%S')}"


def put(key: str, body: str) -> str:
    s3.put_object(Bucket=bucket, Key=f"{place}/{key}", Body=body)
    return f"s3://{bucket}/{place}/{key}"


known = "age,city\n" + "".join(f"{20 + number % 40},{'AB'[number % 2]}\n" for number in range(200))
fresh = "age,city\n" + "".join(f"{20 + number % 40},{'AC'[number % 2]}\n" for number in range(100))
put("rows/fresh.csv", fresh)
# As a transform job with a DataCaptureConfig writes it.
manifest = [{"prefix": f"s3://{bucket}/{place}/rows/"}, "fresh.csv"]
put(f"captured/input/{time.strftime('%Y/%m/%d/%H', time.gmtime())}/one.json", json.dumps(manifest))

monitor = DefaultModelMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    volume_size_in_gb=10,
    max_runtime_in_seconds=1800,
    sagemaker_session=session,
)
monitor.suggest_baseline(
    put("known.csv", known),
    DatasetFormat.csv(header=True),
    output_s3_uri=f"s3://{bucket}/{place}/baseline",
    wait=True,
    logs=False,
)
monitor.create_monitoring_schedule(
    batch_transform_input=BatchTransformInput(
        data_captured_destination_s3_uri=f"s3://{bucket}/{place}/captured",
        destination="/opt/ml/processing/input",
        dataset_format=MonitoringDatasetFormat.csv(header=True),
    ),
    monitor_schedule_name=place,
    output_s3_uri=f"s3://{bucket}/{place}/reports",
    statistics=monitor.baseline_statistics(),
    constraints=monitor.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT1H",
    data_analysis_end_time="-PT0H",
)
while not (executions := monitor.list_executions()) or not executions[-1].describe().get("ExitMessage"):
    time.sleep(1)
found = monitor.latest_monitoring_constraint_violations().body_dict["violations"]
for each in found:
    print(each["feature_name"], each["constraint_check_type"], each["description"], sep=" | ")
assert {each["constraint_check_type"] for each in found if each["feature_name"] == "city"}, found
monitor.delete_monitoring_schedule()
print("RESULT", json.dumps({"violations": len(found)}))
