"""Executions of monitors, with other programs in the analyzer's place: what these are given, what comes of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from monitoring_requests import INPUT, OUTPUT, Monitors, config, now, unique
from processing_requests import BUCKET

TELLS = (
    f"mkdir -p {OUTPUT}; env > {OUTPUT}/env; (cd {INPUT}; find . -type f) > {OUTPUT}/found; "
    "printf '%s' > /opt/ml/output/message"
)
PREPROCESSOR = "/opt/ml/processing/input/record_preprocessor_script_input/run.sh"
VIOLATED = "CompletedWithViolations: Job completed successfully with 2 violations."
CLEAN = "Completed: Job completed successfully with no violations."
LAST_TWO_HOURS = {"DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "PT0H"}


@pytest.fixture(scope="module")
def monitors(server: Any) -> Monitors:
    return Monitors(server)


@pytest.fixture(scope="module")
def endpoint(monitors: Monitors) -> str:
    name = monitors.endpoint(unique("watched"))
    for at in (now(), now() - timedelta(hours=1), now() - timedelta(hours=5)):
        monitors.captured(name, at, [("1,2", "0.5")])
    return name


def define(monitors: Monitors, endpoint: str, script: str, **changes: Any) -> str:
    """The job runs ``script``, which comes to it as the preprocessor's would."""
    name = unique("definition")
    monitors.put(f"code/{name}/run.sh", script)
    application = {
        "RecordPreprocessorSourceUri": f"s3://{BUCKET}/code/{name}/run.sh",
        "ContainerEntrypoint": ["/bin/sh", PREPROCESSOR],
    }
    request = monitors.quality(name, endpoint, application=application, **changes)
    monitors.sagemaker.create_data_quality_job_definition(**request)
    return name


def test_an_execution_is_a_processing_job_over_the_hours_of_its_window(monitors: Monitors, endpoint: str) -> None:
    monitors.put("baseline/constraints.json", "{}")
    monitors.put("baseline/statistics.json", "{}")
    uri = f"s3://{BUCKET}/baseline/"
    baseline = {
        "ConstraintsResource": {"S3Uri": uri + "constraints.json"},
        "StatisticsResource": {"S3Uri": uri + "statistics.json"},
    }
    definition = define(monitors, endpoint, TELLS % VIOLATED, DataQualityBaselineConfig=baseline)
    name = unique("once")
    arn = monitors.schedule(name, definition, "NOW", **LAST_TWO_HOURS)
    execution = monitors.execution_ended(name)
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations"
    assert (execution["EndpointName"], execution["MonitoringType"]) == (endpoint, "DataQuality")
    assert execution["MonitoringJobDefinitionName"] == definition
    job = monitors.describe(execution["ProcessingJobArn"].rpartition("/")[2])
    assert job["ProcessingJobName"].startswith(f"model-monitoring-{execution['ScheduledTime']:%Y%m%d%H%M}-")
    assert (job["MonitoringScheduleArn"], job["ExitMessage"]) == (arn, VIOLATED)
    at = execution["ScheduledTime"]
    hours = [f"{at - timedelta(hours=back):%Y/%m/%d/%H}" for back in (1, 0)]
    paths = [f"{endpoint}/AllTraffic/{hour}" for hour in hours]
    inputs = {each["InputName"]: each["S3Input"] for each in job["ProcessingInputs"]}
    assert [inputs[f"endpoint_input_{number}"]["LocalPath"] for number in (1, 2)] == [
        f"{INPUT}/{path}" for path in paths
    ]
    assert inputs["endpoint_input_2"]["S3Uri"] == f"s3://{BUCKET}/captured/{paths[1]}"
    (output,) = job["ProcessingOutputConfig"]["Outputs"]
    report = f"reports/{endpoint}/{name}/{hours[1]}"
    assert output["S3Output"] == {"S3Uri": f"s3://{BUCKET}/{report}", "LocalPath": OUTPUT, "S3UploadMode": "Continuous"}
    found = monitors.get(f"{report}/found").decode().split()
    assert sorted(each.rpartition("/")[0] for each in found) == sorted(f"./{path}" for path in paths)
    environment = dict(
        line.split("=", 1) for line in monitors.get(f"{report}/env").decode().splitlines() if "=" in line
    )
    assert json.loads(environment["dataset_format"]) == {
        "sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}
    }
    told = {
        "dataset_source": INPUT,
        "output_path": OUTPUT,
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": endpoint,
        "sagemaker_monitoring_schedule_name": name,
        "monitoring_input_type": "ENDPOINT_INPUT",
        "record_preprocessor_script": PREPROCESSOR,
        "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
        "baseline_statistics": "/opt/ml/processing/baseline/stats/statistics.json",
        "start_time": f"{at - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "end_time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert {key: environment.get(key) for key in told} == told
    schedule = monitors.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert schedule["LastMonitoringExecutionSummary"] == execution
    assert schedule["MonitoringScheduleStatus"] == "Stopped", "it was to run once"


def test_a_schedule_that_runs_once_does_so_again_when_it_is_started(monitors: Monitors, endpoint: str) -> None:
    name = unique("again")
    monitors.schedule(name, define(monitors, endpoint, TELLS % CLEAN), "NOW", **LAST_TWO_HOURS)
    first = monitors.execution_ended(name)
    assert first["MonitoringExecutionStatus"] == "Completed"
    monitors.sagemaker.start_monitoring_schedule(MonitoringScheduleName=name)
    second = monitors.execution_ended(name, count=2)
    assert second["ProcessingJobArn"] != first["ProcessingJobArn"]
    newest, oldest = monitors.executions(MonitoringScheduleName=name)
    assert (newest, oldest) == (second, first)
    assert monitors.executions(MonitoringScheduleName=name, SortOrder="Ascending", MaxResults=1) == [first]
    page = monitors.sagemaker.list_monitoring_executions(MonitoringScheduleName=name, MaxResults=1)
    rest = monitors.executions(MonitoringScheduleName=name, MaxResults=1, NextToken=page["NextToken"])
    assert rest == [first]
    after = {"ScheduledTimeAfter": second["ScheduledTime"]}
    assert monitors.executions(MonitoringScheduleName=name, **after) == [second]
    assert monitors.executions(MonitoringScheduleName=name, StatusEquals="Failed") == []
    assert len(monitors.executions(EndpointName=endpoint, MonitoringTypeEquals="DataQuality", MaxResults=100)) >= 2


def test_hours_without_data_make_no_job(monitors: Monitors) -> None:
    quiet, name = monitors.endpoint(unique("quiet")), unique("no-data")
    monitors.schedule(name, define(monitors, quiet, "true"), "NOW", **LAST_TWO_HOURS)
    execution = monitors.execution_ended(name)
    assert execution["MonitoringExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Job inputs had no data"
    assert "ProcessingJobArn" not in execution


def test_alerts_ring_and_fall_silent(monitors: Monitors, endpoint: str) -> None:
    sagemaker, name = monitors.sagemaker, unique("ringing")
    once = {**config(define(monitors, endpoint, "exit 3"), "NOW", **LAST_TWO_HOURS)}
    sagemaker.create_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=once)
    failed = monitors.execution_ended(name)
    assert failed["MonitoringExecutionStatus"] == "Failed"
    assert failed["FailureReason"].startswith("AlgorithmError")
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "InAlert"
    clean = {**config(define(monitors, endpoint, TELLS % CLEAN), "NOW", **LAST_TWO_HOURS)}
    sagemaker.update_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=clean)
    sagemaker.start_monitoring_schedule(MonitoringScheduleName=name)
    assert monitors.execution_ended(name, count=2)["MonitoringExecutionStatus"] == "Completed"
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "OK"
    history = sagemaker.list_monitoring_alert_history(MonitoringScheduleName=name)["MonitoringAlertHistory"]
    assert [each["AlertStatus"] for each in history] == ["OK", "InAlert"]
    asked = {"MonitoringAlertName": alert["MonitoringAlertName"], "DatapointsToAlert": 1, "EvaluationPeriod": 2}
    sagemaker.update_monitoring_alert(MonitoringScheduleName=name, **asked)
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "InAlert", "the failure is among the last two"


def test_a_job_that_is_stopped_stops_its_execution(monitors: Monitors, endpoint: str) -> None:
    name = unique("stopped")
    monitors.schedule(name, define(monitors, endpoint, "sleep 60"), "NOW", **LAST_TWO_HOURS)
    while not (found := monitors.executions(MonitoringScheduleName=name, StatusEquals="InProgress")):
        pass
    monitors.sagemaker.stop_processing_job(ProcessingJobName=found[0]["ProcessingJobArn"].rpartition("/")[2])
    assert monitors.execution_ended(name)["MonitoringExecutionStatus"] == "Stopped"
    monitors.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
    assert monitors.executions(MonitoringScheduleName=name), "the history outlives its schedule"


def test_captured_transforms_are_read_by_their_manifests(monitors: Monitors) -> None:
    at = now()
    monitors.put("rows/a.csv", "1,2\n")
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/rows/"}, "a.csv"])
    monitors.put(f"batch/input/{at:%Y/%m/%d/%H}/{unique('m')}.json", manifest)
    batch = {
        "DataCapturedDestinationS3Uri": f"s3://{BUCKET}/batch",
        "DatasetFormat": {"Csv": {"Header": True}},
        "LocalPath": INPUT,
    }
    definition = define(monitors, "none", TELLS % CLEAN, DataQualityJobInput={"BatchTransformInput": batch})
    name = unique("batch")
    monitors.schedule(name, definition, "NOW", **LAST_TWO_HOURS)
    execution = monitors.execution_ended(name)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    assert "EndpointName" not in execution
    report = f"reports/{name}/{execution['ScheduledTime']:%Y/%m/%d/%H}"
    assert monitors.get(f"{report}/found").decode().split() == [f"./{name}/{at:%Y/%m/%d/%H}/1/a.csv"]
    assert b'dataset_format={"csv":{"header":true}}' in monitors.get(f"{report}/env")


@pytest.mark.slow
def test_an_execution_goes_on_where_a_killed_server_left_it(start_server: Callable[..., Any]) -> None:
    server = start_server()
    killed = Monitors(server)
    endpoint, name = killed.endpoint("watched"), "killed"
    killed.captured(endpoint, now(), [("1,2", "0.5")])
    definition = define(killed, endpoint, f"sleep 1; {TELLS % CLEAN}")
    killed.schedule(name, definition, "NOW", **LAST_TWO_HOURS)
    for pause in (0.0, 0.2, 0.4):
        time.sleep(pause)  # before it began, while it prepares, while it runs
        server.stop(signal.SIGKILL)
        server.start()
        killed.connect()
    execution = killed.execution_ended(name)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    assert len(killed.executions()) == 1
    jobs = killed.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert [job["ProcessingJobArn"] for job in jobs] == [execution["ProcessingJobArn"]]


@pytest.mark.slow
def test_an_hour_passes_when_the_clock_is_advanced(start_server: Callable[..., Any]) -> None:
    server = start_server()
    turning = Monitors(server)
    endpoint, name = turning.endpoint("watched"), "hourly"
    for back in range(3):
        turning.captured(endpoint, now() + timedelta(hours=back), [("1,2", "0.5")])
    turning.schedule(name, define(turning, endpoint, TELLS % CLEAN))
    begun = now().replace(minute=0, second=0, microsecond=0)
    advance = [str(Path(sys.executable).with_name("cloche")), "clock", "advance", "181m", "--data", str(server.data)]
    subprocess.run(advance, check=True, capture_output=True)
    found = turning.executions(MonitoringScheduleName=name, SortBy="ScheduledTime", SortOrder="Ascending")
    assert [each["ScheduledTime"] for each in found] == [begun + timedelta(hours=hour) for hour in (1, 2, 3)]
    for each in found:
        assert each["MonitoringExecutionStatus"] == "Completed", each
        assert each["CreationTime"] - each["ScheduledTime"] == timedelta(minutes=1)
        at = each["ScheduledTime"]
        report = f"reports/{endpoint}/{name}/{at:%Y/%m/%d/%H}/found"
        assert f"/{at - timedelta(hours=1):%Y/%m/%d/%H}/" in turning.get(report).decode()


def test_what_an_execution_needs_may_be_gone(monitors: Monitors) -> None:
    sagemaker = monitors.sagemaker
    endpoint, name = monitors.endpoint(unique("leaving")), unique("left")
    definition = define(monitors, endpoint, "true")
    monitors.schedule(name, definition, "NOW", **LAST_TWO_HOURS)
    monitors.execution_ended(name)
    sagemaker.delete_endpoint(EndpointName=endpoint)
    while endpoint in [each["EndpointName"] for each in sagemaker.list_endpoints(MaxResults=100)["Endpoints"]]:
        pass
    sagemaker.start_monitoring_schedule(MonitoringScheduleName=name)
    execution = monitors.execution_ended(name, count=2)
    assert execution["FailureReason"].startswith(f"Endpoint {endpoint} is not there")
    sagemaker.delete_data_quality_job_definition(JobDefinitionName=definition)
    sagemaker.start_monitoring_schedule(MonitoringScheduleName=name)
    execution = monitors.execution_ended(name, count=3)
    assert execution["FailureReason"] == f"The job definition {definition} has been deleted."
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert described["LastMonitoringExecutionSummary"] == execution
    history = sagemaker.list_monitoring_alert_history(MonitoringScheduleName=name)["MonitoringAlertHistory"]
    assert [each["AlertStatus"] for each in history] == ["InAlert"]
    sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)


def test_more_hours_than_inputs_are_read_by_their_days(monitors: Monitors) -> None:
    endpoint, name = monitors.endpoint(unique("long")), unique("long")
    for back in range(0, 24, 2):
        monitors.captured(endpoint, now() - timedelta(hours=back), [("1,2", "0.5")])
    monitors.schedule(
        name,
        define(monitors, endpoint, TELLS % CLEAN),
        "NOW",
        DataAnalysisStartTime="-PT24H",
        DataAnalysisEndTime="PT0H",
    )
    execution = monitors.execution_ended(name)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    job = monitors.describe(execution["ProcessingJobArn"].rpartition("/")[2])
    captured = [each for each in job["ProcessingInputs"] if each["InputName"].startswith("endpoint_input_")]
    assert 1 <= len(captured) <= 2
    report = f"reports/{endpoint}/{name}/{execution['ScheduledTime']:%Y/%m/%d/%H}/found"
    assert len(monitors.get(report).split()) == 12
