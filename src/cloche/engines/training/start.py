"""What process a plan becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.compute.runtime import Capabilities, Host, Limits, Mount, ProcessSpec
from cloche.engines.training.hosts import TrainingHost
from cloche.engines.training.pipes import feeder
from cloche.engines.training.place import Place
from cloche.engines.training.plan import Plan
from cloche.engines.training.stage_inputs import mounts_of
from cloche.engines.training.warm_pools import CACHE
from cloche_jobs.contract import PACKAGE_ROOT, command, package_folder
from cloche_jobs.contract.environment import training_environment
from cloche_jobs.contract.layout import ML_ROOT

CERTIFICATES_INSIDE: Final = "/etc/cloche/ca-bundle.pem"
_DIRECT: Final = "127.0.0.1,localhost,.localhost,::1"


@dataclass(frozen=True, slots=True)
class Gateway:
    """How https finds AWS's hosts from inside a job: some clients ask ``https://sts.<region>.amazonaws.com`` whatever
    the endpoint variables say."""

    proxy_url: str
    certificates: Path
    """A bundle of authorities that holds Cloche's own beside the public ones."""

    def environment(self, certificates: str) -> dict[str, str]:
        bundles = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
        proxies = ("HTTPS_PROXY", "https_proxy")
        return {
            **dict.fromkeys(proxies, self.proxy_url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), _DIRECT),
            **dict.fromkeys(bundles, certificates),
        }


def process_of(
    plan: Plan,
    id: str,
    place: Place,
    python: Path,
    capabilities: Capabilities,
    *,
    extra: Mapping[str, str],
    gateway: Gateway | None,
    stop_grace_seconds: float,
    limits: Limits,
    caches: Mapping[int, Path],
) -> ProcessSpec:
    """``caches`` are the hosts' parts of a warm pool's cache. ``extra`` is what boto3 inside needs: credentials and
    endpoint. A request's own proxy or bundle wins over the gateway's."""
    shared: tuple[Mount, ...] = (Mount(package_folder(), str(PACKAGE_ROOT / "cloche_jobs")),)
    if gateway is not None and plan.network:
        inside = CERTIFICATES_INSIDE if capabilities.private_files else str(gateway.certificates)
        offered = gateway.environment(inside)
        extra = {**{name: value for name, value in offered.items() if name not in plan.environment}, **extra}
        shared = (*shared, Mount(gateway.certificates, CERTIFICATES_INSIDE))

    def made(host: TrainingHost) -> Host:
        its = place.of_host(host.number)
        environment = training_environment(
            image=plan.image,
            python=python,
            package_root=str(PACKAGE_ROOT if capabilities.private_files else package_folder().parent),
            job_name=plan.name,
            job_arn=plan.arn,
            region=plan.region,
            request=plan.environment,
            extra=extra,
            ml_root=ML_ROOT if capabilities.ml_root_at_opt_ml else its.layout.root,
            host=host.name,
        )
        mounts = mounts_of(plan, its, host, private_files=capabilities.private_files)
        if host.number in caches and capabilities.private_files:
            mounts = (*mounts, Mount(caches[host.number], CACHE, writable=True))
        return Host(host.name, its.layout.root, environment, (*shared, *mounts))

    first, *others = (made(host) for host in plan.hosts)
    argv = (*plan.entrypoint, *plan.arguments) if plan.entrypoint else command(python, "train", plan.arguments)
    return ProcessSpec(
        id=id,
        argv=tuple(argv),
        environment=first.environment,
        ml_root=first.ml_root,
        mounts=first.mounts,
        host_name=first.name,
        more_hosts=tuple(others),
        directory=str((ML_ROOT if capabilities.ml_root_at_opt_ml else first.ml_root) / "code"),
        network=plan.network,
        limits=limits,
        max_runtime_seconds=plan.max_runtime_seconds,
        stop_grace_seconds=stop_grace_seconds,
        companions=tuple(program for host in plan.hosts for program in feeder(plan, place.of_host(host.number), host)),
    )
