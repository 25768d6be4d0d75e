"""Model Monitor's image as an ordinary processing job, as boto3 and the SDK's ``suggest_baseline`` start it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from processing_requests import BUCKET, ML, Bench, sink, source

from cloche_jobs import catalog

IMAGE = catalog.find(
    "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer", processing=True
).uri()
ROWS = "age,colour\n" + "".join(f"{20 + number % 50},{('red', 'blue')[number % 2]}\n" for number in range(300))


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def run(bench: Bench, name: str, data: str, format: Any, *inputs: dict[str, Any], **variables: str) -> dict[str, Any]:
    bench.put(f"monitor/{name}/data", data)
    environment = {
        "dataset_source": f"{ML}/input/baseline_dataset_input",
        "output_path": f"{ML}/output",
        "dataset_format": json.dumps(format),
        "publish_cloudwatch_metrics": "Disabled",
        **variables,
    }
    bench.sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=bench.role,
        AppSpecification={"ImageUri": IMAGE},
        Environment=environment,
        ProcessingInputs=[source("baseline_dataset_input", f"monitor/{name}/data"), *inputs],
        ProcessingOutputConfig={"Outputs": [sink("monitoring_output", f"monitor/{name}/out", f"{ML}/output")]},
        ProcessingResources={
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 20}
        },
    )
    return bench.ended(name, seconds=110)


def document(bench: Bench, name: str, file: str) -> Any:
    return json.loads(bench.get(f"monitor/{name}/out/{file}.json"))


def test_a_baseline_and_a_run_that_violates_it(bench: Bench) -> None:
    job = run(bench, "dq-baseline", ROWS, {"csv": {"header": True, "output_columns_position": "START"}})
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "Completed: Job completed successfully with no violations."
    age, colour = document(bench, "dq-baseline", "statistics")["features"]
    assert (age["inferred_type"], age["numerical_statistics"]["mean"]) == ("Integral", 44.5)
    assert colour["string_statistics"]["distinct_count"] == 2.0
    side = {"observedContentType": "text/csv", "encoding": "CSV"}
    lines = [
        {
            "captureData": {
                "endpointInput": {**side, "mode": "INPUT", "data": "green\n" if number % 2 else "red"},
                "endpointOutput": {**side, "mode": "OUTPUT", "data": f"{90 + number % 7}"},
            },
            "eventMetadata": {"eventId": str(number), "inferenceTime": "2026-11-26T10:00:00Z"},
            "eventVersion": "0",
        }
        for number in range(200)
    ]
    job = run(
        bench,
        "dq-run",
        "".join(json.dumps(line) + "\n" for line in lines),
        {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}},
        source("constraints", "monitor/dq-baseline/out/constraints.json", f"{ML}/baseline/constraints"),
        source("baseline", "monitor/dq-baseline/out/statistics.json", f"{ML}/baseline/stats"),
        baseline_constraints=f"{ML}/baseline/constraints/constraints.json",
        baseline_statistics=f"{ML}/baseline/stats/statistics.json",
        publish_cloudwatch_metrics="Enabled",
        sagemaker_endpoint_name="people",
        sagemaker_monitoring_schedule_name="hourly",
        start_time="2026-11-26T10:00:00Z",
        end_time="2026-11-26T11:00:00Z",
        metric_time="2026-11-26T10:00:00Z",
    )
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "CompletedWithViolations: Job completed successfully with 3 violations."
    violations = document(bench, "dq-run", "constraint_violations")["violations"]
    assert {(each["feature_name"], each["constraint_check_type"]) for each in violations} == {
        ("age", "baseline_drift_check"),
        ("colour", "categorical_values_check"),
        ("colour", "baseline_drift_check"),
    }
    assert len(bench.keys("monitor/dq-run/out/")) == 3
    named = [{"Name": "Endpoint", "Value": "people"}, {"Name": "MonitoringSchedule", "Value": "hourly"}]
    for namespace in ("aws/sagemaker/Endpoints/data-metrics", "/aws/sagemaker/Endpoints/data-metrics"):
        for name, dimensions, sum, count in (
            ("feature_data_age", named, 18594.0, 200.0),
            ("feature_non_null_colour", named, 200.0, 1.0),
            ("feature_completeness_colour", [*named, {"Name": "Feature", "Value": "colour"}], 1.0, 1.0),
        ):
            (point,) = bench.cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=dimensions,
                StartTime="2026-11-26T10:00:00Z",
                EndTime="2026-11-26T11:00:00Z",
                Period=3600,
                Statistics=["Sum", "SampleCount"],
            )["Datapoints"]
            assert (point["Sum"], point["SampleCount"]) == (sum, count)


def test_a_failure_is_told_by_message_and_reason(bench: Bench) -> None:
    job = run(bench, "dq-torn", "{", {"sagemakerCaptureJson": {}})
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["ExitMessage"].startswith("Error: line 1 of data is not JSON")
    assert job["FailureReason"] == f"AlgorithmError: {job['ExitMessage']}, exit code: 255"
    assert f"s3://{BUCKET}/" in job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
