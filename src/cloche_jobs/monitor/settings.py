"""What a job is asked to do, as its environment says it.

Names and values: ``_generate_env_map`` of ``sagemaker/model_monitor/model_monitoring.py`` (aws/sagemaker-python-sdk),
docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html, and what AWS's own container logs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import ML_ROOT, Layout

ENDPOINT_INPUT, ENDPOINT_OUTPUT = "endpointInput", "endpointOutput"


class Format(Enum):
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    CAPTURE = "sagemakerCaptureJson"
    MERGED = "sagemakerMergeJson"
    """Captured records with their ground truth, as the merge job writes them."""

    @property
    def is_captured(self) -> bool:
        return self in (Format.CAPTURE, Format.MERGED)


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    kind: Format
    header: bool = False
    lines: bool = True
    outputs_first: bool = True
    indices: tuple[str, ...] = (ENDPOINT_INPUT, ENDPOINT_OUTPUT)
    """Which parts of a captured record are looked at."""


@dataclass(frozen=True, slots=True)
class Settings:
    source: Path
    output: Path
    format: DatasetFormat
    layout: Layout
    variables: Mapping[str, str] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None

    def get(self, name: str) -> str | None:
        return self.variables.get(name) or None

    def path(self, name: str) -> Path | None:
        value = self.get(name)
        return None if value is None else inside(value, self.layout)

    @property
    def publishes_metrics(self) -> bool:
        return self.get("publish_cloudwatch_metrics") == "Enabled"


def inside(path: str, layout: Layout) -> Path:
    """``path`` as this process sees it: where the job has no ``/opt/ml`` of its own, below the folder it has."""
    given = Path(path)
    return layout.root / given.relative_to(ML_ROOT) if given.is_relative_to(ML_ROOT) else given


def read_settings(variables: Mapping[str, str], layout: Layout) -> Settings:
    """Raises ``UserError`` for what is missing or makes no sense."""
    for name in ("dataset_source", "output_path"):
        if not variables.get(name):
            raise UserError(f"the environment variable {name} is required")
    return Settings(
        source=inside(variables["dataset_source"], layout),
        output=inside(variables["output_path"], layout),
        format=read_format(variables.get("dataset_format")),
        layout=layout,
        variables=variables,
        start=_time(variables, "start_time"),
        end=_time(variables, "end_time"),
    )


def read_format(text: str | None) -> DatasetFormat:
    if not text:
        raise UserError("the environment variable dataset_format is required")
    try:
        document = json.loads(text)
        ((name, options),) = document.items()
        options = {key.lower(): value for key, value in (options or {}).items()}
        kind = next(each for each in Format if each.value.lower() == name.lower())
    except (ValueError, AttributeError, StopIteration) as error:
        kinds = ", ".join(each.value for each in Format)
        raise UserError(f"dataset_format {text[:200]!r} is not one of {kinds}, as a JSON object") from error
    indices = options.get("captureindexnames") or (ENDPOINT_INPUT, ENDPOINT_OUTPUT)
    if isinstance(indices, str) or not set(indices) <= {ENDPOINT_INPUT, ENDPOINT_OUTPUT}:
        raise UserError(f"captureIndexNames {indices!r} are not {ENDPOINT_INPUT} and {ENDPOINT_OUTPUT}")
    return DatasetFormat(
        kind=kind,
        header=_is_true(options.get("header")),
        lines=_is_true(options.get("lines", options.get("line", True))),
        outputs_first=options.get("output_columns_position", "START") != "END",
        indices=tuple(indices),
    )


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _time(variables: Mapping[str, str], name: str) -> datetime | None:
    text = variables.get(name)
    return parse_time(text, name) if text else None


@lru_cache(4096)
def parse_time(text: str, name: str) -> datetime:
    """ISO 8601; UTC where no zone is named."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "").replace("Z", "+00:00"))
    except ValueError as error:
        raise UserError(f"{name} {text[:100]!r} is not a time as ISO 8601 has it") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
