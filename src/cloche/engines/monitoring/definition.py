"""What one execution of a monitor does, read from a job definition of any of the forms it comes in.

Two forms have their own noun and prefix every member with it (``DataQualityAppSpecification``, ``ModelQualityJobInput``
and so on); the old one stands inside a schedule (``MonitoringJobDefinition``). What only travels on to the processing
job (cluster, network) stays as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

DATA_QUALITY: Final = "DataQuality"
MODEL_QUALITY: Final = "ModelQuality"
MAX_RUNTIME_SECONDS: Final = {DATA_QUALITY: 3600, MODEL_QUALITY: 1800}
"""Of an hourly schedule: docs.aws.amazon.com/sagemaker/latest/APIReference/API_MonitoringStoppingCondition.html"""


@dataclass(frozen=True, slots=True)
class Definition:
    type: str
    name: str | None
    """``None`` for one that stands inside its schedule."""
    role: str
    image: str
    entrypoint: tuple[str, ...] | None
    arguments: tuple[str, ...] | None
    preprocessor: str | None
    postprocessor: str | None
    problem_type: str | None
    environment: Mapping[str, str]
    endpoint: Mapping[str, Any] | None
    """EndpointInput; this or ``batch`` is there."""
    batch: Mapping[str, Any] | None
    """BatchTransformInput."""
    ground_truth: str | None
    baselining_job: str | None
    constraints: str | None
    statistics: str | None
    output: Mapping[str, str]
    """S3Uri, LocalPath and S3UploadMode."""
    output_key: str | None
    cluster: Mapping[str, Any]
    network: Mapping[str, Any] | None
    max_runtime_seconds: int

    @property
    def source(self) -> Mapping[str, Any]:
        """Of the captured data: members that both forms have."""
        found = self.endpoint or self.batch
        assert found is not None
        return found

    @property
    def endpoint_name(self) -> str | None:
        return None if self.endpoint is None else str(self.endpoint["EndpointName"])

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Definition:
        lists = {name: data[name] and tuple(data[name]) for name in ("entrypoint", "arguments")}
        return Definition(**{**data, **lists})


def named_definition(type: str, name: str, request: Mapping[str, Any]) -> Definition:
    """Of a Create…JobDefinition of that type."""
    source = request[f"{type}JobInput"]
    return _definition(
        type,
        name,
        request,
        application=request[f"{type}AppSpecification"],
        environment=request[f"{type}AppSpecification"].get("Environment"),
        source=source,
        baseline=request.get(f"{type}BaselineConfig"),
        output=request[f"{type}JobOutputConfig"],
        cluster=request["JobResources"]["ClusterConfig"],
        ground_truth=(source.get("GroundTruthS3Input") or {}).get("S3Uri"),
    )


def inline_definition(given: Mapping[str, Any]) -> Definition:
    """Of a MonitoringJobDefinition: data quality, whatever the image makes of it."""
    return _definition(
        DATA_QUALITY,
        None,
        given,
        application=given["MonitoringAppSpecification"],
        environment=given.get("Environment"),
        source=given["MonitoringInputs"][0],
        baseline=given.get("BaselineConfig"),
        output=given["MonitoringOutputConfig"],
        cluster=given["MonitoringResources"]["ClusterConfig"],
        ground_truth=None,
    )


def _definition(
    type: str,
    name: str | None,
    given: Mapping[str, Any],
    *,
    application: Mapping[str, Any],
    environment: Mapping[str, str] | None,
    source: Mapping[str, Any],
    baseline: Mapping[str, Any] | None,
    output: Mapping[str, Any],
    cluster: Mapping[str, Any],
    ground_truth: str | None,
) -> Definition:
    baseline = baseline or {}
    return Definition(
        type=type,
        name=name,
        role=given["RoleArn"],
        image=application["ImageUri"],
        entrypoint=_tuple(application.get("ContainerEntrypoint")),
        arguments=_tuple(application.get("ContainerArguments")),
        preprocessor=application.get("RecordPreprocessorSourceUri"),
        postprocessor=application.get("PostAnalyticsProcessorSourceUri"),
        problem_type=application.get("ProblemType"),
        environment=environment or {},
        endpoint=source.get("EndpointInput"),
        batch=source.get("BatchTransformInput"),
        ground_truth=ground_truth,
        baselining_job=baseline.get("BaseliningJobName"),
        constraints=(baseline.get("ConstraintsResource") or {}).get("S3Uri"),
        statistics=(baseline.get("StatisticsResource") or {}).get("S3Uri"),
        output=output["MonitoringOutputs"][0]["S3Output"],
        output_key=output.get("KmsKeyId"),
        cluster=cluster,
        network=given.get("NetworkConfig"),
        max_runtime_seconds=(given.get("StoppingCondition") or {}).get(
            "MaxRuntimeInSeconds", MAX_RUNTIME_SECONDS[type]
        ),
    )


def _tuple(given: Any) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)
