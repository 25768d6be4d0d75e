"""What process a plan becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cloche.compute.images.software import Software
from cloche.compute.runtime import Capabilities, Host, Limits, Mount, ProcessSpec
from cloche.engines.training.plan import Plan
from cloche.engines.training.stage_inputs import mounts_of, pipes_of
from cloche.engines.training.warm_pools import CACHE
from cloche.jobs.hosts import JobHost
from cloche.jobs.outside import World
from cloche.jobs.pipes import feeder
from cloche.jobs.place import Place
from cloche_jobs import catalog
from cloche_jobs.contract.layout import ML_ROOT, Layout
from cloche_jobs.contract.own_environment import ENVIRONMENT

FILE_BYTES_UNBOUNDED: Final = (1 << 63) - 1
"""The largest size of a file that the kernel knows."""


def process_of(
    plan: Plan,
    id: str,
    place: Place,
    software: Software,
    capabilities: Capabilities,
    *,
    world: World,
    stop_grace_seconds: float,
    limits: Limits,
    caches: Mapping[int, Path],
    directories: tuple[Mount, ...] = (),
) -> ProcessSpec:
    """``caches`` are the hosts' parts of a warm pool's cache, ``directories`` folders of file systems. A job with an
    entry point of its own has an environment of its own, too, as what it runs may install packages (the SDKs' ``@step``
    and ``@remote`` do)."""

    def made(host: JobHost) -> Host:
        its = place.of_host(host.number)
        root = ML_ROOT if capabilities.ml_root_at_opt_ml else its.layout.root
        programs = None
        if plan.entrypoint:
            programs = software.own_programs(its.layout, Path(root), catalog.by_key(plan.image).programs)
        environment = software.training_environment(
            package_root=str(world.package_root),
            job_name=plan.name,
            job_arn=plan.arn,
            region=plan.region,
            request=plan.environment,
            extra=world.environment,
            ml_root=root,
            host=host.name,
            programs=programs,
        )
        mounts = mounts_of(plan, its, host, private_files=capabilities.private_files)
        if host.number in caches and capabilities.private_files:
            mounts = (*mounts, Mount(caches[host.number], CACHE, writable=True))
        if capabilities.private_files:
            mounts = (*mounts, *directories, *_of_the_system(its.layout))
            if host.number and software.root is None:
                mounts = (*mounts, Mount(place.layout.meeting, str(Layout(ML_ROOT).meeting), writable=True))
        return Host(
            host.name, its.layout.root, environment, (*software.mounts, *world.mounts, *mounts), root=software.root
        )

    first, *others = (made(host) for host in plan.hosts)
    return ProcessSpec(
        id=id,
        argv=software.argv("train", plan.entrypoint, plan.arguments),
        root=software.root,
        environment=first.environment,
        ml_root=first.ml_root,
        mounts=first.mounts,
        host_name=first.name,
        more_hosts=tuple(others),
        directory=software.directory(str((ML_ROOT if capabilities.ml_root_at_opt_ml else first.ml_root) / "code")),
        network=plan.network,
        limits=limits,
        max_runtime_seconds=plan.max_runtime_seconds,
        stop_grace_seconds=stop_grace_seconds,
        notice=plan.notice,
        companions=tuple(
            feeder(place.of_host(host.number))
            for host in plan.hosts
            if pipes_of(plan, place.of_host(host.number), host)
        ),
        standby=software.standby(
            _imports(plan),
            frozenset(("TRAINING_JOB_NAME", "TRAINING_JOB_ARN", *world.environment)),
            first.ml_root,
            str(ML_ROOT),
        ),
    )


def limits_of(plan: Plan, limits: Limits) -> Limits:
    """What the job writes below ``/opt/ml`` is bounded, and a single file at once; but a file of a file system that it
    writes to may be of any size, and which of both a file is the kernel does not ask."""
    unbounded = FILE_BYTES_UNBOUNDED if any(each.writable for each in plan.directories) else limits.file_bytes
    return replace(limits, disk_bytes=plan.volume_bytes, file_bytes=unbounded)


def _of_the_system(layout: Layout) -> tuple[Mount, ...]:
    """What programs of an image that brings ``sshd`` look for outside ``/opt/ml``: the SDK's driver of MPI starts that,
    and writes to ``/etc/environment``."""
    own = layout.root / ENVIRONMENT
    if not (own / "bin" / "sshd").exists():
        return ()
    (own / "etc-environment").touch()
    return (
        Mount(own / "bin" / "sshd", "/usr/sbin/sshd"),
        Mount(own / "etc-environment", "/etc/environment", writable=True),
    )


def _imports(plan: Plan) -> tuple[str, ...]:
    """What the job will import first: its algorithm with all its libraries, or what runs a script."""
    if plan.entrypoint:
        return ()
    image = catalog.by_key(plan.image)
    return (image.training_entry(plan.hyperparameters, plan.environment).partition(":")[0],)
