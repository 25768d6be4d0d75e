"""How a model server is started."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cloche.compute.images.software import Software
from cloche.compute.runtime import Capabilities, Host, Limits
from cloche.foundation.limits import GIB, MIB, MODEL_SERVER_DISK_BYTES_MAX
from cloche.serving.laying_out import layout_of
from cloche.serving.model import ServedModel
from cloche_jobs.contract import PACKAGE_ROOT, package_folder
from cloche_jobs.contract.layout import ML_ROOT

STOP_GRACE_SECONDS: Final = 30.0
"""Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html (SIGTERM, then SIGKILL)."""
MAPPED_BYTES_UNUSED: Final = 4 * GIB


def mapped_bytes_max(memory_mb: int | None) -> int:
    """How much a model server may map: its instance's memory (this machine's, where that is less or not known) and
    what libraries map and never use. A leak ends in the model's own ``MemoryError``, not with everybody's memory."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (machine if memory_mb is None else min(machine, memory_mb * MIB)) + MAPPED_BYTES_UNUSED


def limits_of(model: ServedModel) -> Limits:
    return Limits(memory_bytes=mapped_bytes_max(model.memory_mb), disk_bytes=MODEL_SERVER_DISK_BYTES_MAX)


def host_of(
    model: ServedModel,
    name: str,
    folder: Path,
    socket: Path,
    software: Software,
    capabilities: Capabilities,
    *,
    region: str,
    extra: Mapping[str, str],
) -> Host:
    """One host that serves ``model``, laid out in ``folder``, at ``socket``. ``extra`` is what boto3 inside needs."""
    ml_root = layout_of(folder).root
    environment = software.serving_environment(
        package_root=str(PACKAGE_ROOT) if capabilities.private_files else package_folder().parent,
        region=region,
        bind=f"unix:{socket}",
        request=model.environment,
        extra=extra,
        ml_root=ML_ROOT if capabilities.ml_root_at_opt_ml else ml_root,
    )
    return Host(
        name,
        ml_root,
        environment,
        software.mounts,
        software.argv("serve"),
        software.root,
        software.inlet(socket),
        software.directory(str(ML_ROOT if capabilities.ml_root_at_opt_ml else ml_root)),
        open_folders=_open_folders(ml_root),
    )


def _open_folders(ml_root: Path) -> tuple[str, ...]:
    """What SageMaker's SDK 3 packs for the model servers of its ``ModelBuilder`` begins by copying ``shared_libs`` of
    the model's folder, which is always there, to ``/lib`` (``sagemaker/serve/model_server/*/inference.py``)."""
    return ("/lib",) if (ml_root / "model" / "shared_libs").is_dir() else ()
