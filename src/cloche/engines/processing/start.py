"""What process a plan becomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from cloche.compute.images.software import Software
from cloche.compute.runtime import Capabilities, Host, Limits, ProcessSpec
from cloche.engines.processing.plan import Plan
from cloche.engines.processing.staging import Staged
from cloche.jobs.hosts import JobHost
from cloche.jobs.java import java_home, java_mounts
from cloche.jobs.outside import World
from cloche.jobs.pipes import feeder
from cloche.jobs.place import Place
from cloche_jobs import catalog
from cloche_jobs.contract.layout import ML_ROOT


def process_of(
    plan: Plan,
    id: str,
    place: Place,
    staged: Sequence[Staged],
    software: Software,
    capabilities: Capabilities,
    *,
    world: World,
    stop_grace_seconds: float,
    limits: Limits,
) -> ProcessSpec:
    """``staged`` has one for each host."""
    image = catalog.by_key(plan.image)
    home = java_home() if image.needs_java else None
    java, mounts = ({"JAVA_HOME": str(home)}, java_mounts(home)) if home is not None else ({}, ())

    def root_of(host: JobHost) -> PurePath:
        return ML_ROOT if capabilities.ml_root_at_opt_ml else place.of_host(host.number).layout.root.resolve()

    def made(host: JobHost) -> Host:
        layout = place.of_host(host.number).layout
        environment = software.processing_environment(
            programs=software.own_programs(layout, Path(root_of(host)), image.programs),
            package_root=str(world.package_root),
            region=plan.region,
            request=plan.environment,
            extra={**java, **world.environment},
            ml_root=str(root_of(host)),
            host=host.name,
        )
        seen = (*software.mounts, *world.mounts, *staged[host.number].mounts, *mounts)
        return Host(host.name, layout.root, environment, seen, root=software.root)

    # What an image's own program is told differs from job to job. It is in lower case, what libraries heed is not.
    is_own = plan.entrypoint == image.entrypoint
    first, *others = (made(host) for host in plan.hosts)
    root = root_of(plan.hosts[0])
    return ProcessSpec(
        id=id,
        argv=_at(root, software.program(plan.entrypoint, plan.arguments)),
        root=software.root,
        environment=first.environment,
        ml_root=first.ml_root,
        mounts=first.mounts,
        host_name=first.name,
        more_hosts=tuple(others),
        directory=software.directory(str(root)),
        network=plan.network,
        limits=limits,
        max_runtime_seconds=plan.max_runtime_seconds,
        stop_grace_seconds=stop_grace_seconds,
        notice=plan.notice,
        companions=tuple(feeder(place.of_host(host.number)) for host in plan.hosts if staged[host.number].has_pipes),
        standby=software.standby(
            image.imports if is_own else (),
            frozenset((*world.environment, *(name for name in plan.environment if is_own and name.islower()))),
            first.ml_root,
            str(root),
        ),
    )


def _at(root: PurePath, argv: Sequence[str]) -> tuple[str, ...]:
    """Where a job cannot have its folder at ``/opt/ml``, at least its command line names where it is."""
    if root == ML_ROOT:
        return tuple(argv)
    return tuple(str(root) + each[len(str(ML_ROOT)) :] if each.startswith(f"{ML_ROOT}/") else each for each in argv)
