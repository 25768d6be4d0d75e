"""What process a plan becomes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloche.compute.runtime import Capabilities, Limits, Mount, ProcessSpec
from cloche.engines.training.place import Place
from cloche.engines.training.plan import Plan
from cloche_jobs.contract import PACKAGE_ROOT, command, package_folder
from cloche_jobs.contract.environment import training_environment
from cloche_jobs.contract.layout import ML_ROOT


def process_of(
    plan: Plan,
    id: str,
    place: Place,
    mounts: tuple[Mount, ...],
    python: Path,
    capabilities: Capabilities,
    *,
    extra: Mapping[str, str],
    stop_grace_seconds: float,
    limits: Limits,
) -> ProcessSpec:
    """``extra`` is what boto3 inside needs: credentials, endpoint, proxy."""
    ml_root = ML_ROOT if capabilities.ml_root_at_opt_ml else place.layout.root
    argv = (*plan.entrypoint, *plan.arguments) if plan.entrypoint else command(python, "train", plan.arguments)
    return ProcessSpec(
        id=id,
        argv=tuple(argv),
        environment=training_environment(
            image=plan.image,
            python=python,
            package_root=str(PACKAGE_ROOT if capabilities.private_files else package_folder().parent),
            job_name=plan.name,
            job_arn=plan.arn,
            region=plan.region,
            request=plan.environment,
            extra=extra,
            ml_root=ml_root,
        ),
        ml_root=place.layout.root,
        mounts=(Mount(package_folder(), str(PACKAGE_ROOT / "cloche_jobs")), *mounts),
        directory=str(ml_root / "code"),
        network=plan.network,
        limits=limits,
        max_runtime_seconds=plan.max_runtime_seconds,
        stop_grace_seconds=stop_grace_seconds,
    )
