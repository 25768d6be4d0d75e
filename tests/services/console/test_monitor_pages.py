"""Monitors in the console, in a real browser."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
BUCKET, NAME, OUTPUT = "console-pages", "console-watched", "/opt/ml/processing/resultdata"
SCRIPT = "/opt/ml/processing/input/record_preprocessor_script_input/run.sh"


def feature(name: str, low: float, high: float) -> dict[str, Any]:
    step = (high - low) / 10
    buckets = [{"lower_bound": low + step * at, "upper_bound": low + step * (at + 1), "count": 7.0} for at in range(10)]
    common = {"num_present": 70, "num_missing": 0}
    numbers = {"common": common, "mean": (low + high) / 2, "distribution": {"kll": {"buckets": buckets}}}
    return {"name": name, "inferred_type": "Fractional", "numerical_statistics": numbers}


def test_a_schedule_shows_what_its_executions_found(page: Browser, world: Any) -> None:
    s3, sagemaker = world.client("s3"), world.client("sagemaker")
    now = datetime.now(UTC)

    def put(key: str, body: Any) -> str:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body if isinstance(body, str) else json.dumps(body))
        return f"s3://{BUCKET}/{key}"

    before = put("monitor/statistics.json", {"features": [feature("age", 0, 10), feature("pay", 0, 10)]})
    found = {"dataset": {"item_count": 70}, "features": [feature("age", 0, 10), feature("pay", 20, 30)]}
    violation = {"feature_name": "pay", "constraint_check_type": "baseline_drift_check", "description": "<b>far</b>"}
    files = {"statistics.json": found, "constraint_violations.json": {"violations": [violation]}}
    lines = [f"cat > {OUTPUT}/{name} <<'END'\n{json.dumps(body)}\nEND" for name, body in files.items()]
    ends = "printf 'CompletedWithViolations: Job completed successfully with 1 violations.' > /opt/ml/output/message"
    lines = [f"mkdir -p {OUTPUT}", *lines, ends]
    put("monitor/rows/a.csv", "1,2\n")
    put(f"monitor/captured/input/{now:%Y/%m/%d/%H}/m.json", [{"prefix": f"s3://{BUCKET}/monitor/rows/"}, "a.csv"])
    sagemaker.create_data_quality_job_definition(
        JobDefinitionName=NAME,
        DataQualityBaselineConfig={"StatisticsResource": {"S3Uri": before}},
        DataQualityAppSpecification={
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["/bin/sh", SCRIPT],
            "RecordPreprocessorSourceUri": put("monitor/run.sh", "\n".join(lines)),
        },
        DataQualityJobInput={
            "BatchTransformInput": {
                "DataCapturedDestinationS3Uri": f"s3://{BUCKET}/monitor/captured",
                "DatasetFormat": {"Csv": {"Header": False}},
                "LocalPath": "/opt/ml/processing/input/rows",
            }
        },
        DataQualityJobOutputConfig={
            "MonitoringOutputs": [{"S3Output": {"S3Uri": f"s3://{BUCKET}/monitor/out", "LocalPath": OUTPUT}}]
        },
        JobResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        RoleArn=ROLE,
    )
    sagemaker.create_monitoring_schedule(
        MonitoringScheduleName=NAME,
        MonitoringScheduleConfig={
            "ScheduleConfig": {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT1H",
                "DataAnalysisEndTime": "PT0H",
            },
            "MonitoringJobDefinitionName": NAME,
            "MonitoringType": "DataQuality",
        },
    )
    page.open(world.server.url)
    page.press("g", "e")
    page.click_link("Monitors")
    page.wait_text(NAME)
    page.click_link(NAME)
    page.wait("the end", lambda: page.run("return document.querySelectorAll('.timeline a.bad').length") == 1)
    page.wait_text("baseline_drift_check")
    chart = json.loads(page.run("return document.querySelector('[data-chart]').dataset.chart"))
    assert chart["series"] == [{"label": "violations", "values": [1]}] and chart["bars"]
    page.wait_text("<b>far</b>")  # as text: what a report says is shown, never obeyed
    page.wait("pictures", lambda: page.run("return document.querySelectorAll('.distributions figure').length") == 2)
    assert page.run("return document.querySelector('.distributions figure').dataset.key") == "pay", "worst first"
    assert page.run("return document.querySelectorAll('.violated rect.before').length") == 10
    assert page.run("return document.querySelectorAll('.violated rect.now').length") == 10
    page.wait_text("InAlert", ".facts")
    assert "70" in page.texts(".facts .number")
    page.click_link("Monitors")
    page.wait_text("CompletedWithViolations", "table")
