"""Instances on this machine: a folder with the unpacked model, a socket, a process of the compute backend.

Everything here may be repeated: a folder that is complete is not unpacked again, a process that was started is not
started twice. What users hand in is opened as hostile (``cloche_jobs.contract.unpacking``); a refusal is the
endpoint's failure reason, never an exception to whoever asks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cloche.compute.images import EnvironmentFailed
from cloche.compute.runtime import Limits as ProcessLimits
from cloche.compute.runtime import Mount, Observation, ProcessSpec, Running, Runtime
from cloche.engines.hosting.document import PROCESS_PREFIX, Endpoint, Instance
from cloche.engines.hosting.logbook import Logbook
from cloche.engines.hosting.ping import is_deaf, is_healthy
from cloche.engines.hosting.sessions import Sessions
from cloche.engines.hosting.sockets import make_private
from cloche.foundation.errors import NotFound
from cloche.foundation.limits import (
    ARCHIVE_BYTES_MAX,
    ARCHIVE_MEMBERS_MAX,
    ARCHIVE_RATIO_MAX,
    GIB,
    MIB,
    MODEL_SERVER_DISK_BYTES_MAX,
)
from cloche.storage.objects import ObjectStore
from cloche_jobs import catalog
from cloche_jobs.contract import PACKAGE_ROOT, Layout, command, package_folder
from cloche_jobs.contract.environment import serving_environment
from cloche_jobs.contract.layout import ML_ROOT
from cloche_jobs.contract.sources import bundle_uri
from cloche_jobs.contract.unpacking import ArchiveRefused, Limits, unpack

STOP_GRACE_SECONDS: Final = 30.0
"""Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html (SIGTERM, then SIGKILL)."""
MAPPED_BYTES_UNUSED: Final = 4 * GIB
_COMPLETE: Final = ".complete"


def mapped_bytes_max(memory_mb: int | None) -> int:
    """How much a model server may map: its instance's memory (this machine's, where that is less or not known) and
    what libraries map and never use. A leak ends in the model's own ``MemoryError``, not with everybody's memory."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (machine if memory_mb is None else min(machine, memory_mb * MIB)) + MAPPED_BYTES_UNUSED


class Unfit(Exception):
    """The instance cannot be made as asked; the text is the endpoint's ``FailureReason``."""


class Images(Protocol):
    def python(self, image: catalog.Image) -> Path:
        """The interpreter of the image's environment, which is built first if need be. Raises ``EnvironmentFailed``."""
        ...


class JobCredentials(Protocol):
    """How a process gets the keys of its role. ``name`` is unique and safe in a URL."""

    def environment(self, name: str, role_arn: str, session_name: str) -> Mapping[str, str]:
        """Variables by which the SDKs inside find credentials of ``role_arn``; an earlier answer is void."""
        ...

    def forget(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the instances of one Cloche live."""

    root: Path
    sockets: Path
    runtime: Runtime
    objects: ObjectStore
    images: Images
    credentials: JobCredentials
    logbook: Logbook
    sessions: Sessions
    owners: dict[str, str] = field(default_factory=dict)
    """Process → ARN of its endpoint, for those seen since this server started."""

    def folder(self, instance: Instance) -> Path:
        return self.root / instance.id

    def folder_of(self, process: str) -> Path:
        """The same, by the name of one of its processes."""
        return self.root / process.removeprefix(PROCESS_PREFIX).rpartition("-")[0]

    def socket(self, instance: Instance) -> Path:
        return self.sockets / f"{instance.id}-{instance.attempt}" / "s"

    def observe(self, instance: Instance) -> Observation | None:
        return self.runtime.observe(instance.process)

    def answers(self, instance: Instance) -> bool:
        return is_healthy(str(self.socket(instance)))

    def is_deaf(self, instance: Instance) -> bool:
        return is_deaf(str(self.socket(instance)))

    # -- making ------------------------------------------------------------------------------------------

    def prepare(self, instance: Instance) -> None:
        """Lay out the instance's ML root. Raises ``Unfit``."""
        folder = self.folder(instance)
        if (folder / _COMPLETE).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        layout = Layout(folder / "ml").make()
        if instance.plan.model_data is not None:
            self._unpack(instance, *instance.plan.model_data, folder, layout)
        uri = bundle_uri({}, dict(instance.plan.environment))
        if uri is not None:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            self._fetch(bucket, key, layout.bundle, link=False)  # the process may write to it
        (folder / _COMPLETE).touch()

    def _fetch(self, bucket: str, key: str, target: Path, *, link: bool) -> None:
        try:
            self.objects.link_into(self.objects.head(bucket, key), target, link=link)
        except NotFound:
            raise Unfit(f"Failed to download model data for container: s3://{bucket}/{key} is not there.") from None

    def _unpack(self, instance: Instance, bucket: str, key: str, folder: Path, layout: Layout) -> None:
        archive = folder / "model.tar.gz"
        self._fetch(bucket, key, archive, link=True)
        limits = Limits(bytes=ARCHIVE_BYTES_MAX, ratio=ARCHIVE_RATIO_MAX, members=ARCHIVE_MEMBERS_MAX)
        try:
            unpack(archive, layout.model, limits=limits, label=f"s3://{bucket}/{key}")
        except ArchiveRefused as error:
            shutil.rmtree(layout.model, ignore_errors=True)
            raise Unfit(
                f"Failed to extract model data archive for container primary of production variant "
                f"{instance.plan.name}: {error.message}"
            ) from None
        finally:
            archive.unlink(missing_ok=True)

    def start(self, endpoint: Endpoint, instance: Instance) -> None:
        """Start this attempt's process, which was not started before (``observe`` says so)."""
        image = catalog.find(instance.plan.image)
        try:
            python = self.images.python(image)
        except EnvironmentFailed as failed:
            raise Unfit(failed.message) from failed
        socket = self.socket(instance)
        make_private(self.sockets)  # temporary folders are swept now and then
        make_private(socket.parent)
        own_root = self.runtime.capabilities.ml_root_at_opt_ml
        private = self.runtime.capabilities.private_files
        ml_root = self.folder(instance) / "ml"
        self.runtime.start(
            ProcessSpec(
                id=instance.process,
                argv=tuple(command(python, "serve")),
                environment=serving_environment(
                    image=image.key,
                    python=python,
                    package_root=str(PACKAGE_ROOT) if private else package_folder().parent,
                    region=endpoint.region,
                    bind=f"unix:{socket}",
                    request=instance.plan.environment,
                    extra=self._credentials(instance),
                    ml_root=ML_ROOT if own_root else ml_root,
                ),
                ml_root=ml_root,
                mounts=(Mount(package_folder(), str(PACKAGE_ROOT / "cloche_jobs")),),
                directory=str(ML_ROOT if own_root else ml_root),
                network=instance.plan.network,
                limits=ProcessLimits(
                    memory_bytes=mapped_bytes_max(instance.plan.memory_mb), disk_bytes=MODEL_SERVER_DISK_BYTES_MAX
                ),
                host_name=instance.id,
                stop_grace_seconds=STOP_GRACE_SECONDS,
                socket=socket,
            )
        )
        self.seen(endpoint, instance)

    def seen(self, endpoint: Endpoint, instance: Instance) -> None:
        """The process is there: its end is to wake the endpoint, its output belongs into the log."""
        self.owners[instance.process] = endpoint.arn
        self.logbook.follow(endpoint, instance)

    def _credentials(self, instance: Instance) -> Mapping[str, str]:
        role_arn = instance.plan.role_arn
        # SageMaker names the session so: docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
        return self.credentials.environment(instance.process, role_arn, "SageMaker") if role_arn else {}

    # -- taking down -------------------------------------------------------------------------------------

    def stop(self, instance: Instance) -> bool:
        """Ask its process to end; ``True`` once it has."""
        observed = self.observe(instance)
        if observed is None or not isinstance(observed, Running):
            return True
        self.runtime.stop(instance.process, STOP_GRACE_SECONDS)
        return False

    def forget_attempt(self, instance: Instance) -> None:
        """Drop what is kept of an attempt that has ended; its log is complete then."""
        self.logbook.finish(instance)
        self.sessions.forget(instance.process)
        if instance.plan.role_arn:
            self.credentials.forget(instance.process)
        self.owners.pop(instance.process, None)
        self.runtime.forget(instance.process)
        shutil.rmtree(self.socket(instance).parent, ignore_errors=True)

    def remove(self, instance: Instance) -> None:
        """Drop everything of an instance whose process has ended."""
        self.forget_attempt(instance)
        shutil.rmtree(self.folder(instance), ignore_errors=True)
