"""The JSON files below ``input/config``: written by the server, read by the job.

Source of names and shapes: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cloche_jobs.contract.failure import PlatformError
from cloche_jobs.contract.layout import ML_ROOT, Layout

HOMOGENEOUS = "homogeneousCluster"
INTERFACE = "eth0"


@dataclass(frozen=True, slots=True)
class Channel:
    """One entry of the request's ``InputDataConfig``, as the job sees it."""

    name: str
    content_type: str | None = None
    input_mode: str = "File"
    distribution: str = "FullyReplicated"
    record_wrapper: str = "None"

    def document(self) -> dict[str, str]:
        document = {
            "TrainingInputMode": self.input_mode,
            "S3DistributionType": self.distribution,
            "RecordWrapperType": self.record_wrapper,
        }
        return document if self.content_type is None else {"ContentType": self.content_type, **document}


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts of one type."""

    name: str = HOMOGENEOUS
    instance_type: str = "local"
    hosts: Sequence[str] = ("algo-1",)

    def document(self) -> dict[str, Any]:
        return {
            "instance_group_name": self.name,
            "instance_type": self.instance_type,
            "hosts": sorted(self.hosts),
        }


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who takes part, and which of them the reader is: by default the one host there is."""

    groups: Sequence[Group] = (Group(),)
    current: str = "algo-1"
    interface: str = INTERFACE

    def document(self) -> dict[str, Any]:
        mine = next(group for group in self.groups if self.current in group.hosts)
        return {
            "current_host": self.current,
            "current_instance_type": mine.instance_type,
            "current_group_name": mine.name,
            "hosts": sorted(name for group in self.groups for name in group.hosts),
            "instance_groups": [group.document() for group in self.groups],
            "network_interface_name": self.interface,
        }


def write_configuration(
    layout: Layout, hyperparameters: Mapping[str, str], channels: Sequence[Channel], hosts: Hosts
) -> None:
    """Write all three files; every hyperparameter's value is text, as it came in the request."""
    layout.config.mkdir(parents=True, exist_ok=True)
    _write(layout.hyperparameters, dict(hyperparameters))
    _write(layout.input_data_config, {channel.name: channel.document() for channel in channels})
    _write(layout.resource_config, hosts.document())


def write_checkpoint_config(layout: Layout, uri: str, local_path: str) -> None:
    """Say that checkpoints are kept, and where; the file is only there for a job with a CheckpointConfig."""
    _write(layout.checkpoint_config, {"S3Uri": uri, "LocalPath": local_path})


def checkpoint_folder(layout: Layout) -> Path | None:
    """Where this job keeps its checkpoints, if anywhere. A ``LocalPath`` below ``/opt/ml`` is below the ML root."""
    if not layout.checkpoint_config.exists():
        return layout.checkpoints if layout.checkpoints.is_dir() else None
    local = PurePosixPath(str(_read(layout.checkpoint_config).get("LocalPath") or ML_ROOT / "checkpoints"))
    return layout.root / local.relative_to(ML_ROOT) if local.is_relative_to(ML_ROOT) else Path(local)


def read_hyperparameters(layout: Layout) -> dict[str, Any]:
    """Raises ``PlatformError`` when the file is not there or is no JSON object."""
    return _read(layout.hyperparameters)


def read_input_data_config(layout: Layout) -> dict[str, Any]:
    """Raises ``PlatformError`` when the file is not there or is no JSON object."""
    return _read(layout.input_data_config)


def read_resource_config(layout: Layout) -> dict[str, Any]:
    """Raises ``PlatformError`` when the file is not there or is no JSON object."""
    return _read(layout.resource_config)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlatformError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise PlatformError(f"{path.name} holds no JSON object")
    return document
