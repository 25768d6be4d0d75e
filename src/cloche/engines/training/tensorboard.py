"""What a job writes for TensorBoard: brought to S3 while it runs.

The objects lie below ``S3OutputPath``, the job's name and ``tensorboard-output``, where
``latest_job_tensorboard_artifacts_path`` of ``sagemaker.estimator`` (PyPI ``sagemaker`` 2.257.7) looks for them.
Nothing comes back at a start, and what the job removes stays: a run that begins again writes files of other names.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from cloche.compute.runtime import Mount
from cloche.engines.training.plan import Plan
from cloche.jobs.folders import Folder
from cloche.jobs.place import Place
from cloche_jobs.contract.layout import ML_ROOT, Layout

_BELOW: Final = "tensorboard-output"
_OUTSIDE: Final = ("output", "tensorboard")
"""Where in the job's folder a ``LocalPath`` outside ``/opt/ml`` lies, and the default one."""


def prepare(plan: Plan, layout: Layout) -> None:
    if plan.tensorboard is not None:
        layout.root.joinpath(*_way(plan.tensorboard.local_path)).mkdir(parents=True, exist_ok=True)


def mounts_of(plan: Plan, layout: Layout) -> list[Mount]:
    config = plan.tensorboard
    if config is None or Path(config.local_path).is_relative_to(ML_ROOT):
        return []
    return [Mount(layout.root.joinpath(*_OUTSIDE), config.local_path, writable=True)]


def folders_of(plan: Plan, place: Place) -> list[Folder]:
    """What is kept alike with S3; nothing for a job without a ``TensorBoardOutputConfig``."""
    config = plan.tensorboard
    if config is None:
        return []
    prefix = "/".join(part for part in (config.prefix, plan.name, _BELOW) if part)
    roots = [place.of_host(host.number).layout.root for host in plan.hosts]
    return [Folder(root, _way(config.local_path), config.bucket, prefix) for root in roots]


def _way(local_path: str) -> tuple[str, ...]:
    path = PurePosixPath(local_path)
    return path.relative_to(ML_ROOT).parts if path.is_relative_to(ML_ROOT) else _OUTSIDE
