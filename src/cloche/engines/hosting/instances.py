"""Instances on this machine: a folder with the unpacked model, a socket, a process of the compute backend.

Everything here may be repeated: a folder that is complete is not unpacked again, a process that was started is not
started twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from cloche.compute.images import EnvironmentFailed, ImageFailed
from cloche.compute.images.software import Software
from cloche.compute.packages import NONE, PackageSources
from cloche.compute.runtime import Capabilities, Ended, Host, Observation, ProcessSpec, Running, Runtime
from cloche.engines.hosting.document import PROCESS_PREFIX, Endpoint, Instance
from cloche.engines.hosting.endings import last_words
from cloche.engines.hosting.logbook import Logbook
from cloche.engines.hosting.ping import is_deaf, is_healthy
from cloche.engines.hosting.relay import Way
from cloche.engines.hosting.sessions import Sessions
from cloche.serving.laying_out import Unfit, lay_out
from cloche.serving.process import STOP_GRACE_SECONDS, host_of, limits_of
from cloche.serving.sockets import make_private
from cloche.storage.objects import ObjectStore
from cloche_jobs import catalog


class Images(Protocol):
    def software(self, image: catalog.Image) -> Software:
        """What serves a model of that image, built or unpacked first if need be. Raises ``EnvironmentFailed``, and
        ``ImageFailed`` for an image of the user's own."""
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
    packages: PackageSources | None
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

    def ways(self, instance: Instance) -> list[Way]:
        """Where each of its containers listens."""
        first, models = self.socket(instance), instance.plan.models
        return [
            Way(model.name, str(first if number == 0 else first.with_name(f"s{number}")))
            for number, model in enumerate(models)
        ]

    def answers(self, instance: Instance) -> bool:
        return all(is_healthy(way.path) for way in self.ways(instance))

    def is_deaf(self, instance: Instance) -> bool:
        return any(is_deaf(way.path) for way in self.ways(instance))

    def _folders(self, instance: Instance) -> list[Path]:
        """Of each container: the first's is the instance's own, and holds those of the others."""
        folder = self.folder(instance)
        return [folder, *(folder / f"container-{number}" for number, _ in enumerate(instance.plan.further, 1))]

    # -- making ------------------------------------------------------------------------------------------

    def prepare(self, instance: Instance) -> None:
        """Lay out the ML root of each of the instance's containers. Raises ``Unfit``."""
        whose = f"production variant {instance.plan.name}"
        for folder, model in zip(self._folders(instance), instance.plan.models, strict=True):
            lay_out(folder, model, self.objects, whose=whose)

    def start(self, endpoint: Endpoint, instance: Instance) -> None:
        """Start this attempt's process, which was not started before (``observe`` says so)."""
        socket, model = self.socket(instance), instance.plan.models[0]
        make_private(self.sockets)  # temporary folders are swept now and then
        make_private(socket.parent)
        able = self.runtime.capabilities
        first, *others = self._hosts(endpoint, instance, able)
        self.runtime.start(
            ProcessSpec(
                id=instance.process,
                argv=first.argv,
                environment=first.environment,
                ml_root=first.ml_root,
                mounts=first.mounts,
                root=first.root,
                inlet=first.inlet,
                open_folders=first.open_folders,
                directory=first.directory,
                network=model.network,
                limits=limits_of(model),
                host_name=first.name,
                more_hosts=tuple(others),
                stop_grace_seconds=STOP_GRACE_SECONDS,
                prompt=True,
                socket=socket,
                notice=model.notice,
            )
        )
        self.seen(endpoint, instance)

    def _hosts(self, endpoint: Endpoint, instance: Instance, able: Capabilities) -> list[Host]:
        """One for each container. Raises ``Unfit``."""
        models, credentials = instance.plan.models, self._credentials(instance)
        packages = self.packages if models[0].network else None
        sources = packages.found(private_files=able.private_files) if packages else NONE
        hosts: list[Host] = []
        for folder, model, way in zip(self._folders(instance), models, self.ways(instance), strict=True):
            try:
                software = self.images.software(catalog.by_key(model.key))
            except (EnvironmentFailed, ImageFailed) as failed:
                raise Unfit(failed.message) from failed
            offered = {name: value for name, value in sources.environment.items() if name not in model.environment}
            host = host_of(
                model,
                model.name or instance.id,
                folder,
                Path(way.path),
                software,
                able,
                region=endpoint.region,
                extra={**offered, **credentials},
            )
            hosts.append(replace(host, mounts=(*host.mounts, *sources.mounts)))
        return hosts

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

    def forget_attempt(self, instance: Instance, *, is_unhealthy: bool = False) -> None:
        """Drop what is kept of an attempt that has ended; its log is complete then. ``is_unhealthy``: it is not meant
        to be gone, so if it was stopped, then for answering no pings."""
        observed = self.observe(instance)
        host = observed.host if isinstance(observed, Ended) else 0
        self.logbook.finish(instance, last_words(observed, is_unhealthy=is_unhealthy), host)
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
