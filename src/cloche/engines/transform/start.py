"""What process a plan becomes: a model server for each instance, and the program that feeds them beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Final

from cloche.compute.images.software import Software
from cloche.compute.runtime import Capabilities, Host, ProcessSpec
from cloche.engines.transform.plan import Plan
from cloche.jobs.hosts import JobHost
from cloche.jobs.outside import World
from cloche.jobs.place import Place
from cloche.serving.process import STOP_GRACE_SECONDS, host_of, limits_of
from cloche_jobs.contract import package_folder

TIMEOUT: Final = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
TIMEOUT_SECONDS: Final = 60.0
"""As for an endpoint. Its end ends the job, so it has at least until all tries of a payload are over: an answer that
comes after its own time costs its file, and no other. The model's environment may say how long, too."""


def sockets_in(folder: Path, count: int) -> tuple[Path, ...]:
    return tuple(folder / str(number) for number in range(count))


def process_of(
    plan: Plan,
    id: str,
    place: Place,
    hosts: tuple[JobHost, ...],
    sockets: tuple[Path, ...],
    orders: Path,
    software: Sequence[Software],
    able: Capabilities,
    world: World,
) -> ProcessSpec:
    """``software`` is that of each container."""

    busy_seconds = max(TIMEOUT_SECONDS, plan.timeout_seconds * (1 + plan.retries))

    def made(host: JobHost) -> Host:
        its = place.of_host(host.number).folder
        model = plan.model_of(host)
        one = host_of(
            replace(model, environment={TIMEOUT: str(ceil(busy_seconds)), **model.environment}),
            host.name,
            its,
            sockets[host.number],
            software[host.number % len(software)],
            able,
            region=plan.region,
            extra=world.environment,
        )
        return replace(one, mounts=(*one.mounts, *world.mounts))

    first, *others = (made(host) for host in hosts)
    return ProcessSpec(
        id=id,
        argv=first.argv,
        root=first.root,
        inlet=first.inlet,
        open_folders=first.open_folders,
        environment=first.environment,
        ml_root=first.ml_root,
        mounts=first.mounts,
        directory=first.directory,
        network=plan.model.network,
        host_name=first.name,
        more_hosts=tuple(others),
        limits=limits_of(plan.model),
        stop_grace_seconds=STOP_GRACE_SECONDS,
        notice=plan.model.notice,
        socket=sockets[0],
        companions=(_feeder(orders),),
    )


def _feeder(orders: Path) -> tuple[str, ...]:
    python = getattr(sys, "_base_executable", None) or sys.executable
    program = package_folder() / "transform" / "feed.py"
    return (python, "-I", "-S", str(program), str(orders.resolve()))
