"""Requests for monitors: job definitions, schedules, and captured data to look at."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from processing_requests import BUCKET, SKLEARN, Bench

INPUT = "/opt/ml/processing/input/endpoint"
OUTPUT = "/opt/ml/processing/resultdata"
ENDED = ("Completed", "CompletedWithViolations", "Failed", "Stopped")
LINE = (
    '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"%s","encoding":"CSV"},'
    '"endpointOutput":{"observedContentType":"text/csv; charset=utf-8","mode":"OUTPUT","data":"%s","encoding":"CSV"}},'
    '"eventMetadata":{"eventId":"%s","inferenceId":"%s","inferenceTime":"%s"},"eventVersion":"0"}\n'
)


def unique(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


class Monitors(Bench):
    """A server to monitor on. Endpoints of it have no model: what they captured is put there by hand."""

    def endpoint(self, name: str, *, captures: bool = True) -> str:
        """An endpoint whose data lies in ``captured/<name>``."""
        capture = {
            "EnableCapture": False,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{BUCKET}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ExecutionRoleArn=self.role,
            ProductionVariants=[
                {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
            ],
            **({"DataCaptureConfig": capture} if captures else {}),
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return name

    def captured(self, endpoint: str, at: datetime, rows: list[tuple[str, str]], variant: str = "AllTraffic") -> str:
        """One file of captured data; each row is (input, output). The inference ids are the numbers of the rows."""
        when = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = [LINE % (given, answer, uuid.uuid4(), number, when) for number, (given, answer) in enumerate(rows)]
        key = f"captured/{endpoint}/{variant}/{at:%Y/%m/%d/%H/%M-%S}-000-{uuid.uuid4()}.jsonl"
        self.put(key, "".join(lines))
        return key

    def truth(self, prefix: str, at: datetime, labels: dict[str, str]) -> None:
        lines = [
            json.dumps(
                {
                    "groundTruthData": {"data": label, "encoding": "CSV"},
                    "eventMetadata": {"eventId": id},
                    "eventVersion": "0",
                }
            )
            for id, label in labels.items()
        ]
        self.put(f"{prefix}/{at:%Y/%m/%d/%H}/{uuid.uuid4()}.jsonl", "\n".join(lines) + "\n")

    def quality(self, name: str, endpoint: str, **changes: Any) -> dict[str, Any]:
        """A CreateDataQualityJobDefinition."""
        given = {"EndpointName": endpoint, "LocalPath": INPUT, **changes.pop("input", {})}
        application = {"ImageUri": SKLEARN, "ContainerEntrypoint": ["/bin/true"], **changes.pop("application", {})}
        request = {
            "JobDefinitionName": name,
            "DataQualityAppSpecification": application,
            "DataQualityJobInput": {"EndpointInput": given},
            "DataQualityJobOutputConfig": {
                "MonitoringOutputs": [{"S3Output": {"S3Uri": f"s3://{BUCKET}/reports", "LocalPath": OUTPUT}}]
            },
            "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
            "RoleArn": self.role,
        }
        return {**request, **changes}

    def model_quality(self, name: str, endpoint: str, **changes: Any) -> dict[str, Any]:
        """A CreateModelQualityJobDefinition."""
        request = self.quality(name, endpoint)
        source = {**request.pop("DataQualityJobInput"), "GroundTruthS3Input": {"S3Uri": f"s3://{BUCKET}/truth/{name}"}}
        application = {**request.pop("DataQualityAppSpecification"), "ProblemType": "Regression"}
        request["ModelQualityJobInput"] = source
        request["ModelQualityAppSpecification"] = {**application, **changes.pop("application", {})}
        request["ModelQualityJobOutputConfig"] = request.pop("DataQualityJobOutputConfig")
        return {**request, **changes}

    def inline(self, endpoint: str, **changes: Any) -> dict[str, Any]:
        """The same as a MonitoringJobDefinition of a schedule."""
        given = self.quality("none", endpoint)
        job = {
            "MonitoringInputs": [given["DataQualityJobInput"]],
            "MonitoringOutputConfig": given["DataQualityJobOutputConfig"],
            "MonitoringResources": given["JobResources"],
            "MonitoringAppSpecification": given["DataQualityAppSpecification"],
            "RoleArn": self.role,
        }
        return {**job, **changes}

    def schedule(self, name: str, definition: str, expression: str = "cron(0 * ? * * *)", **when: str) -> str:
        arn: str = self.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName=name, MonitoringScheduleConfig=config(definition, expression, **when)
        )["MonitoringScheduleArn"]
        return arn

    def executions(self, **asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sagemaker.list_monitoring_executions(**asked)["MonitoringExecutionSummaries"]
        return found

    def execution_ended(self, schedule: str, count: int = 1, seconds: float = 60) -> dict[str, Any]:
        """The newest execution, once there are so many and all of them have ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.executions(MonitoringScheduleName=schedule, MaxResults=100)
            if len(found) >= count and all(each["MonitoringExecutionStatus"] in ENDED for each in found):
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"{found} still\n{self.server.log()[-2000:]}")


def config(definition: str, expression: str = "cron(0 * ? * * *)", type: str = "DataQuality", **when: str) -> Any:
    return {
        "ScheduleConfig": {"ScheduleExpression": expression, **when},
        "MonitoringJobDefinitionName": definition,
        "MonitoringType": type,
    }


def now() -> datetime:
    return datetime.now(UTC)
