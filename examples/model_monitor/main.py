"""Model Monitor with SageMaker's Python SDK 2: data and model quality, an hour of good data and one of bad.

main.py DATA [CLOCHE...]     DATA holds train/, validation/ and test/ as CSV, label first; CLOCHE is how to call it
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import sagemaker
from sagemaker import image_uris
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model_monitor import (
    CronExpressionGenerator,
    DataCaptureConfig,
    DefaultModelMonitor,
    EndpointInput,
    ModelQualityMonitor,
)
from sagemaker.model_monitor.dataset_format import DatasetFormat
from sagemaker.s3 import S3Uploader
from sagemaker.serializers import CSVSerializer

data, cloche = Path(sys.argv[1]), sys.argv[2:] or ["cloche"]
session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
stamp = time.strftime("%H%M%S")
place = f"s3://{bucket}/monitor-{stamp}"

estimator = Estimator(
    image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"{place}/models",
    sagemaker_session=session,
    hyperparameters={"objective": "binary:logistic", "num_round": 20},
)
train = session.upload_data(str(data / "train"), bucket, f"monitor-{stamp}/train")
estimator.fit({"train": TrainingInput(train, content_type="text/csv")}, logs=False)
predictor = estimator.deploy(
    1,
    "ml.m5.large",
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
    data_capture_config=DataCaptureConfig(True, sampling_percentage=100, destination_s3_uri=f"{place}/captured"),
)


def ask(rows: list[str]) -> list[float]:
    """Row by row; the inference id of each is its number, by which the truth finds it later."""
    return [float(predictor.predict(row, inference_id=str(number))[0][0]) for number, row in enumerate(rows)]


def text(row: "np.ndarray") -> str:
    return ",".join(f"{cell:.6f}" for cell in row)


def tell_truth(labels: "np.ndarray", at: time.struct_time) -> None:
    """What became of the requests of that hour."""
    lines = [
        {
            "groundTruthData": {"data": str(int(label)), "encoding": "CSV"},
            "eventMetadata": {"eventId": str(number)},
            "eventVersion": "0",
        }
        for number, label in enumerate(labels)
    ]
    target = f"{place}/truth/{time.strftime('%Y/%m/%d/%H', at)}/labels.jsonl"
    S3Uploader.upload_string_as_file_body("\n".join(map(json.dumps, lines)), target, sagemaker_session=session)


def now() -> time.struct_time:
    """By Cloche's clock, which is ahead of this machine's."""
    told = subprocess.run([*cloche, "clock"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return time.strptime(re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", told)[0], "%Y-%m-%d %H:%M:%S")


def baseline_is_there(of: DefaultModelMonitor) -> None:
    """The SDK itself would look every ten seconds."""
    while of.describe_latest_baselining_job()["ProcessingJobStatus"] == "InProgress":
        time.sleep(0.5)
    job = of.describe_latest_baselining_job()
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")


def let_time_pass(span: str) -> None:
    """Cloche's clock moves; what falls due meanwhile is done before this returns."""
    subprocess.run([*cloche, "clock", "advance", span], check=True)


# What an endpoint captures is its answer, then what it was asked: so must the baseline have it.
known = np.loadtxt(data / "validation" / "validation.csv", delimiter=",")
scores = ask([text(row) for row in known[:, 1:]])
with Path("baseline.csv").open("w") as out:
    print(",".join(["score", *(f"feature_{number}" for number in range(known.shape[1] - 1))]), file=out)
    for score, row in zip(scores, known, strict=True):
        print(f"{score:.6f},{text(row[1:])}", file=out)
with Path("predictions.csv").open("w") as out:
    print("probability,prediction,label", file=out)
    for score, row in zip(scores, known, strict=True):
        print(score, int(score > 0.5), int(row[0]), sep=",", file=out)

settings = {
    "role": role,
    "instance_count": 1,
    "instance_type": "ml.m5.large",
    "volume_size_in_gb": 10,
    "max_runtime_in_seconds": 1800,
    "sagemaker_session": session,
}
monitor, quality = DefaultModelMonitor(**settings), ModelQualityMonitor(**settings)
monitor.suggest_baseline(
    "baseline.csv", DatasetFormat.csv(header=True), output_s3_uri=f"{place}/baseline", wait=False, logs=False
)
baseline_is_there(monitor)
features = monitor.baseline_statistics().body_dict["features"]
assert [each["name"] for each in features[:2]] == ["score", "feature_0"], features[:2]
quality.suggest_baseline(
    "predictions.csv",
    DatasetFormat.csv(header=True),
    "BinaryClassification",
    inference_attribute="prediction",
    probability_attribute="probability",
    ground_truth_attribute="label",
    output_s3_uri=f"{place}/quality-baseline",
    wait=False,
    logs=False,
)
baseline_is_there(quality)
assert quality.suggested_constraints().body_dict["binary_classification_constraints"]["auc"]["threshold"] > 0.9

# The executions are to see the hours below, and nothing of what was asked for the baseline.
let_time_pass("1h")
name = f"churn-{stamp}"
monitor.create_monitoring_schedule(
    endpoint_input=predictor.endpoint_name,
    monitor_schedule_name=name,
    output_s3_uri=f"{place}/reports",
    statistics=monitor.baseline_statistics(),
    constraints=monitor.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.hourly(),
    enable_cloudwatch_metrics=True,
)
quality.create_monitoring_schedule(
    endpoint_input=EndpointInput(
        predictor.endpoint_name,
        "/opt/ml/processing/input_data",
        probability_attribute="0",
        probability_threshold_attribute=0.5,
    ),
    monitor_schedule_name=f"{name}-quality",
    output_s3_uri=f"{place}/quality-reports",
    problem_type="BinaryClassification",
    ground_truth_input=f"{place}/truth",
    constraints=quality.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.hourly(),
    enable_cloudwatch_metrics=True,
)
assert monitor.describe_schedule()["MonitoringScheduleStatus"] == "Scheduled"
assert monitor.list_executions() == []

fresh = np.loadtxt(data / "test" / "test.csv", delimiter=",")
ask([text(row[1:]) for row in fresh])
tell_truth(fresh[:, 0], now())
let_time_pass("62m")
first = monitor.describe_schedule()["LastMonitoringExecutionSummary"]
assert first["MonitoringExecutionStatus"] in ("Completed", "CompletedWithViolations"), first
good = monitor.latest_monitoring_constraint_violations()
good = (
    {(each["feature_name"], each["constraint_check_type"]) for each in good.body_dict["violations"]} if good else set()
)

# The first feature comes in another unit, the second is missing; and the world is not what it was.
ask([f"{row[1] * 1000:.6f},,{text(row[3:])}" for row in fresh])
tell_truth(1 - fresh[:, 0], now())
let_time_pass("1h")
executions = monitor.list_executions()
last = executions[-1]
assert last.describe()["ExitMessage"].startswith("CompletedWithViolations"), last.describe()
found = last.constraint_violations().body_dict["violations"]
for each in found:
    print(each["feature_name"], each["constraint_check_type"], each["description"], sep=" | ")
bad = {(each["feature_name"], each["constraint_check_type"]) for each in found} - good
assert ("feature_0", "baseline_drift_check") in bad, found
assert ("feature_1", "completeness_check") in bad, found
assert monitor.latest_monitoring_statistics().body_dict["dataset"]["item_count"] == len(fresh)

summary = quality.describe_schedule()["LastMonitoringExecutionSummary"]
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
worse = quality.latest_monitoring_constraint_violations().body_dict["violations"]
for each in worse:
    print(each["description"])
assert {"accuracy", "auc"} <= {each["metric_name"] for each in worse}, worse
measured = quality.latest_monitoring_statistics().body_dict["binary_classification_metrics"]
assert measured["accuracy"]["value"] < 0.5, measured

(alert,), _ = monitor.list_monitoring_alerts()
assert alert.alert_status == "InAlert", alert

monitor.stop_monitoring_schedule()
assert monitor.describe_schedule()["MonitoringScheduleStatus"] == "Stopped"
monitor.update_monitoring_schedule(
    schedule_cron_expression=CronExpressionGenerator.daily_every_x_hours(6), max_runtime_in_seconds=1200
)
config = monitor.describe_schedule()["MonitoringScheduleConfig"]
assert config["ScheduleConfig"]["ScheduleExpression"] == "cron(0 0/6 ? * * *)", config
monitor.update_monitoring_alert(alert.alert_name, data_points_to_alert=2, evaluation_period=2)
monitor.start_monitoring_schedule()
attached = DefaultModelMonitor.attach(name, session)
assert attached.monitoring_schedule_name == name
attached.delete_monitoring_schedule()
quality.delete_monitoring_schedule()
predictor.delete_endpoint()
print("RESULT", json.dumps({"executions": len(executions), "violations": len(bad), "quality": len(worse)}))
