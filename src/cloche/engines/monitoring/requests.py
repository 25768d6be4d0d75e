"""The processing jobs of an execution, as they are asked of the API.

Names, inputs, folders and environment are those of real jobs: case mm-mq-02 (the merge) and the published log of an
abalone monitor (both jobs of a model-quality execution, complete); what those do not have is from
docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html and the SDK's ``suggest_baseline``
(names of the scripts' inputs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloche.engines.monitoring.captured import Folder
from cloche.engines.monitoring.definition import DATA_QUALITY, MODEL_QUALITY, Definition
from cloche.engines.monitoring.times import Window
from cloche.foundation.clock import from_epoch, to_iso

INPUTS_MAX: Final = 10
"""Of a processing job (the model's constraint)."""
VARIABLE_MAX: Final = 256
"""Characters of a value in its environment (the model's constraint)."""
ATTRIBUTES: Final = {
    "FeaturesAttribute": "features_attribute",
    "InferenceAttribute": "inference_attribute",
    "ProbabilityAttribute": "probability_attribute",
    "ProbabilityThresholdAttribute": "probability_threshold_attribute",
    "ExcludeFeaturesAttribute": "exclude_features_attribute",
}
ANALYZER: Final = "sagemaker-model-monitor-analyzer"
MERGER: Final = "sagemaker-model-monitor-groundtruth-merger"
MERGED_FROM: Final = "/opt/ml/processing/input_data"
GROUND_TRUTH: Final = "/opt/ml/processing/groundtruth"
MERGE_OUTPUT: Final = "/opt/ml/processing/output"
CONSTRAINTS: Final = "/opt/ml/processing/baseline/constraints"
STATISTICS: Final = "/opt/ml/processing/baseline/stats"
SCRIPTS: Final = "/opt/ml/processing/input"
_PREFIX: Final = {DATA_QUALITY: "model-monitoring", MODEL_QUALITY: "model-quality-monitoring"}
_MERGER_PREFIX: Final = "groundtruth-merge"


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a schedule. ``token`` is 24 hexadecimal digits that no other run has."""

    account: str
    region: str
    schedule: str
    """Its ARN."""
    name: str
    """The schedule's."""
    token: str
    window: Window
    definition: Definition
    capture: str | None = None
    """Where the endpoint's captured data lies; this and the baseline's files are looked up when it begins."""
    constraints: str | None = None
    statistics: str | None = None

    @property
    def analysis_job(self) -> str:
        return self._job(_PREFIX[self.definition.type])

    @property
    def merge_job(self) -> str:
        return self._job(_MERGER_PREFIX)

    @property
    def place(self) -> str:
        """The folder that its results lie in: the endpoint's name and the schedule's, or the schedule's alone."""
        endpoint = self.definition.endpoint_name
        return f"{endpoint}/{self.name}" if endpoint else self.name

    @property
    def output(self) -> str:
        """The S3 folder of its results: by the hour it was scheduled for (case mm-mq-02)."""
        hour = from_epoch(self.window.slot).strftime("%Y/%m/%d/%H")
        return f"{self.definition.output['S3Uri'].rstrip('/')}/{self.place}/{hour}"

    @property
    def merged(self) -> str:
        """Where the merge job's files go: under the same folders as what it reads."""
        return self.definition.output["S3Uri"].rstrip("/") + "/merge"

    @property
    def source(self) -> str:
        """Where what the analysis reads lies in its job."""
        return str(self.definition.source["LocalPath"]).rstrip("/")

    def job_arn(self, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:processing-job/{name}"

    def _job(self, prefix: str) -> str:
        return f"{prefix}-{from_epoch(self.window.slot):%Y%m%d%H%M}-{self.token}"


def merge_request(execution: Execution, captured: Sequence[Folder], truth: Sequence[Folder]) -> dict[str, Any]:
    definition = execution.definition
    environment = {
        "dataset_format": _text(_format(definition, None)),
        "dataset_source": MERGED_FROM,
        "end_time": to_iso(from_epoch(execution.window.end)),
        "ground_truth_source": GROUND_TRUTH,
        "monitoring_input_type": _input_type(definition),
        "output_path": MERGE_OUTPUT,
        "start_time": to_iso(from_epoch(execution.window.start)),
    }
    output = {"S3Uri": execution.merged, "LocalPath": MERGE_OUTPUT, "S3UploadMode": "EndOfJob"}
    return _request(
        execution,
        execution.merge_job,
        {"ImageUri": _merger_of(definition.image)},
        [*_inputs("groundtruth_input", GROUND_TRUTH, truth, {}), *_captured(definition, MERGED_FROM, captured)],
        output,
        environment,
    )


def analysis_request(execution: Execution, data: Sequence[Folder]) -> dict[str, Any]:
    """``data`` is what was captured, or for model quality what the merge job made of it."""
    definition = execution.definition
    output = {
        "S3Uri": execution.output,
        "LocalPath": definition.output["LocalPath"],
        "S3UploadMode": definition.output.get("S3UploadMode", "Continuous"),
    }
    application = {
        "ImageUri": definition.image,
        "ContainerEntrypoint": definition.entrypoint and list(definition.entrypoint),
        "ContainerArguments": definition.arguments and list(definition.arguments),
    }
    return _request(
        execution,
        execution.analysis_job,
        {name: value for name, value in application.items() if value is not None},
        [*_extra_inputs(execution), *_captured(definition, execution.source, data)],
        output,
        _analysis_environment(execution),
    )


def extra_inputs(execution: Execution) -> int:
    """How many of its inputs are no captured data."""
    return len(_extra_inputs(execution))


def _analysis_environment(execution: Execution) -> dict[str, str]:
    definition, window = execution.definition, execution.window
    indexes = ["endpointOutput"] if definition.type == MODEL_QUALITY else ["endpointInput", "endpointOutput"]
    attributes = {name: definition.source.get(member) for member, name in ATTRIBUTES.items()}
    found: dict[str, Any] = {
        "dataset_format": _text(_format(definition, indexes)),
        "dataset_source": execution.source,
        "end_time": to_iso(from_epoch(window.end)),
        "metric_time": to_iso(from_epoch(window.start)),
        "monitoring_input_type": _input_type(definition),
        "output_path": definition.output["LocalPath"],
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": definition.endpoint_name,
        "sagemaker_monitoring_schedule_name": execution.name,
        "sagemaker_endpoint_datacapture_prefix": _if_short(execution.capture),
        "start_time": to_iso(from_epoch(window.start)),
        "baseline_constraints": execution.constraints and f"{CONSTRAINTS}/{_file(execution.constraints)}",
        "baseline_statistics": execution.statistics and f"{STATISTICS}/{_file(execution.statistics)}",
        "record_preprocessor_script": _script_path(_PREPROCESSOR, definition.preprocessor),
        "post_analytics_processor_script": _script_path(_POSTPROCESSOR, definition.postprocessor),
        **attributes,
    }
    if definition.type == MODEL_QUALITY:
        found |= {"analysis_type": "MODEL_QUALITY", "problem_type": definition.problem_type}
    given = {name: str(value) for name, value in found.items() if value is not None}
    return {**given, **definition.environment}


_PREPROCESSOR: Final = "record_preprocessor_script_input"
_POSTPROCESSOR: Final = "post_analytics_processor_script_input"


def _format(definition: Definition, indexes: list[str] | None) -> Mapping[str, Any]:
    if definition.batch is None:
        merged = definition.type == MODEL_QUALITY and indexes is not None
        return {"sagemakerMergeJson" if merged else "sagemakerCaptureJson": {"captureIndexNames": indexes}}
    if definition.type == MODEL_QUALITY and indexes is not None:
        return {"sagemakerMergeJson": {"captureIndexNames": indexes}}
    given = definition.batch["DatasetFormat"]
    if "Csv" in given:
        return {"csv": {"header": bool((given["Csv"] or {}).get("Header"))}}
    if "Json" in given:
        return {"json": {"lines": bool((given["Json"] or {}).get("Line"))}}
    return {"parquet": {}}


def _extra_inputs(execution: Execution) -> list[dict[str, Any]]:
    definition = execution.definition
    wanted = [
        ("baseline", execution.statistics, STATISTICS),
        ("constraints", execution.constraints, CONSTRAINTS),
        (_PREPROCESSOR, definition.preprocessor, f"{SCRIPTS}/{_PREPROCESSOR}"),
        (_POSTPROCESSOR, definition.postprocessor, f"{SCRIPTS}/{_POSTPROCESSOR}"),
    ]
    return [_input(name, uri, path) for name, uri, path in wanted if uri]


def _captured(definition: Definition, below: str, folders: Sequence[Folder]) -> list[dict[str, Any]]:
    name = "endpoint_input" if definition.endpoint is not None else "batch_transform_input"
    source = definition.source
    modes = {key: source[key] for key in ("S3InputMode", "S3DataDistributionType") if source.get(key)}
    return _inputs(name, below, folders, modes)


def _inputs(name: str, below: str, folders: Sequence[Folder], modes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        _input(f"{name}_{number}", each.uri, f"{below}/{each.path}", each.is_manifest, modes)
        for number, each in enumerate(folders, 1)
    ]


def _input(
    name: str, uri: str, path: str, is_manifest: bool = False, modes: Mapping[str, str] | None = None
) -> dict[str, Any]:
    source = {
        "S3Uri": uri,
        "LocalPath": path,
        "S3DataType": "ManifestFile" if is_manifest else "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {"InputName": name, "AppManaged": False, "S3Input": {**source, **(modes or {})}}


def _request(
    execution: Execution,
    name: str,
    application: Mapping[str, Any],
    inputs: list[dict[str, Any]],
    output: Mapping[str, str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    definition = execution.definition
    outputs: dict[str, Any] = {"Outputs": [{"OutputName": "result", "S3Output": dict(output), "AppManaged": False}]}
    if definition.output_key:
        outputs["KmsKeyId"] = definition.output_key
    request: dict[str, Any] = {
        "ProcessingJobName": name,
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": outputs,
        "ProcessingResources": {"ClusterConfig": dict(definition.cluster)},
        "StoppingCondition": {"MaxRuntimeInSeconds": definition.max_runtime_seconds},
        "AppSpecification": dict(application),
        "Environment": dict(environment),
        "RoleArn": definition.role,
    }
    if definition.network:
        request["NetworkConfig"] = dict(definition.network)
    return request


def _merger_of(image: str) -> str:
    """The merger lies beside the analyzer in the registry; for an image of one's own, AWS's in its own region."""
    registry, _, rest = image.partition("/")
    if re.split("[:@]", rest)[0] == ANALYZER:
        return f"{registry}/{MERGER}"
    return f"156813124566.dkr.ecr.us-east-1.amazonaws.com/{MERGER}"


def _input_type(definition: Definition) -> str:
    return "ENDPOINT_INPUT" if definition.endpoint is not None else "BATCH_TRANSFORM_INPUT"


def _script_path(input: str, uri: str | None) -> str | None:
    return uri and f"{SCRIPTS}/{input}/{_file(uri)}"


def _if_short(text: str | None) -> str | None:
    return text if text is not None and len(text) <= VARIABLE_MAX else None


def _file(uri: str) -> str:
    return uri.rpartition("/")[2]


def _text(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document).decode()
