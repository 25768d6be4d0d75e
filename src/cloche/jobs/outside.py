"""What a job's engine is handed by the server: images, credentials, and the way to AWS's hosts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, Protocol

from cloche.compute.images.software import Software
from cloche.compute.packages import PackageSources
from cloche.compute.runtime import Capabilities, Mount
from cloche.jobs.hosts import JobHost
from cloche_jobs import catalog
from cloche_jobs.contract import PACKAGE_ROOT, package_folder

CERTIFICATES_INSIDE: Final = "/etc/cloche/ca-bundle.pem"
_DIRECT: Final = "127.0.0.1,localhost,.localhost,::1"


class Images(Protocol):
    def software(self, image: catalog.Image) -> Software:
        """What runs in a job of that image, built or unpacked first if need be. Raises ``EnvironmentFailed``, and
        ``ImageFailed`` for an image of the user's own."""
        ...

    def tool(self, environment: str) -> Path:
        """The interpreter of an environment that is no image's (``catalog.DOCUMENTS``). Raises
        ``EnvironmentFailed``."""
        ...


class JobCredentials(Protocol):
    def keep(self, tx: sqlite3.Connection, name: str, role_arn: str, session_name: str) -> None:
        """In the transaction that makes a job: what it is promised then need not be waited for."""
        ...

    def environment(self, name: str, role_arn: str, session_name: str) -> Mapping[str, str]:
        """Variables by which the SDKs inside find Cloche and the role's keys; an earlier answer is void."""
        ...

    def promised(self, name: str, role_arn: str, session_name: str) -> tuple[Mapping[str, str], Callable[[], None]]:
        """The same before it is on the disk; the function waits until it is. The job begins after that."""
        ...

    def drop(self, tx: sqlite3.Connection, name: str) -> None:
        """``forget``, in the transaction that ends the job."""
        ...

    def forget(self, name: str) -> None:
        """What ``environment`` answered for ``name`` gives nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a job with a network is told of it: how https finds AWS's hosts (some clients ask
    ``https://sts.<region>.amazonaws.com`` whatever the endpoint variables say), and where packages come from."""

    proxy_url: str
    certificates: Callable[[], Path]
    """Answers a bundle of authorities that holds Cloche's own beside the public ones."""
    packages: PackageSources

    def environment(self, certificates: str, hosts: Sequence[str]) -> dict[str, str]:
        """``hosts`` are asked through no proxy: gRPC would send even their names to the one for AWS's."""
        bundles = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
        proxies = ("HTTPS_PROXY", "https_proxy")
        return {
            **dict.fromkeys(proxies, self.proxy_url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join((_DIRECT, *hosts))),
            **dict.fromkeys(bundles, certificates),
        }


@dataclass(frozen=True, slots=True)
class World:
    """What a job's processes find of Cloche."""

    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    """What boto3 inside needs: credentials, endpoint, and the gateway."""
    package_root: PurePath


def world(
    capabilities: Capabilities,
    gateway: Gateway | None,
    credentials: Mapping[str, str],
    *,
    request: Mapping[str, str],
    hosts: Sequence[JobHost] = (),
) -> World:
    """``gateway`` is ``None`` for a job without network too; ``hosts`` are the job's, where it may have several. The
    ``request``'s own proxy or bundle wins over the gateway's."""
    mounts: tuple[Mount, ...] = ()
    environment = credentials
    if gateway is not None:
        certificates = gateway.certificates()
        inside = CERTIFICATES_INSIDE if capabilities.private_files else str(certificates)
        offered = gateway.environment(inside, [host.name for host in hosts] if len(hosts) > 1 else [])
        sources = gateway.packages.found(private_files=capabilities.private_files)
        offered |= sources.environment
        environment = {**{name: value for name, value in offered.items() if name not in request}, **credentials}
        mounts = (Mount(certificates, CERTIFICATES_INSIDE), *sources.mounts)
    return World(mounts, environment, PACKAGE_ROOT if capabilities.private_files else package_folder().parent)
