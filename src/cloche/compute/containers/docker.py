"""Docker: a daemon is every container's keeper, and ``docker run`` but passes on what it says.

So what Podman's ``run`` does by itself is asked for: which process is the first, whether it ever began, and that the
container goes when it has ended. A network that the runner makes is held by a further container, as the daemon
starts everything in a network of its own; that one sleeps, is there before the job's first line runs, and is given its
cable by the runner.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

from cloche.compute.containers.program import (
    NOTHING,
    PATH,
    SECONDS_MAX,
    ContainerProgram,
    network_name,
    of_this_machine,
)
from cloche.compute.images.store import BlobStore, hex_of
from cloche.compute.local.sandbox import networks
from cloche.compute.runtime import Host
from cloche.foundation.errors import Invalid

UNIX: Final = "unix://"
WAITING_SECONDS_MAX: Final = 10


class Docker(ContainerProgram):
    __slots__ = ()
    name = "docker"
    starts_containers = False
    removing = ("rm", "--force", "--volumes")
    asking = ("version", "--format", "{{.Server.Version}}")

    @property
    def environment(self) -> dict[str, str]:
        """A configuration of the user's would put proxies into every container."""
        return {"PATH": PATH, "HOME": "/root", "DOCKER_CONFIG": "/nonexistent"}

    def own_options(self, container: str, pid_file: Path) -> list[str]:
        return []

    def joining(self, container: str, host: Host, names: Sequence[str]) -> dict[str, Any]:
        """The container that holds the network has the names, which the other takes over with it."""
        if networks() != "each":
            raise Invalid("several instances cut from the network need bridges and cables here", field="more_hosts")
        holder = network_name(container)
        line = [*self.line, "run", "--detach", "--name", holder, "--network", "none", *names, *of_this_machine()]
        return {
            "options": ["--network", f"container:{holder}"],
            "network": {"line": [*line, NOTHING, "sleep", "infinity"], "find": self.finding(holder)},
        }

    def finding(self, container: str) -> list[str]:
        return [*self.line, "inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}", container]

    def take_in(self, store: BlobStore, digest: str, name: str) -> subprocess.CompletedProcess[str]:
        """What ``docker save`` would write, and ``docker load`` reads, is given to that as it is made."""
        with subprocess.Popen(
            [*self.line, "load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        ) as loading:
            assert loading.stdin is not None
            try:
                write_archive(store, digest, name, loading.stdin)
            except BrokenPipeError:
                pass  # what it says tells why
            out, err = loading.communicate(timeout=SECONDS_MAX)
        texts = (each.decode("utf-8", "replace") for each in (out, err))
        return subprocess.CompletedProcess(loading.args, loading.returncode, *texts)


def found() -> Docker:
    """Docker, tried: a container is run. Raises ``Invalid`` with why there is none."""
    path = shutil.which("docker", path=PATH)
    if path is None:
        raise Invalid("docker is not there: apt install docker.io, or see docs.docker.com/engine", field="containers")
    host = _host(path)
    if not host.startswith(UNIX):
        raise Invalid(f"docker's daemon is at {host}: only one of this machine can run jobs", field="containers")
    return Docker((path, "--host", host)).tried()


def _host(path: str) -> str:
    """Where the daemon listens: what the user's ``DOCKER_HOST`` says, else his context, as for any ``docker``."""
    try:
        done = subprocess.run(
            [path, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
            capture_output=True,
            text=True,
            timeout=WAITING_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return os.environ.get("DOCKER_HOST", "")
    return done.stdout.strip() or os.environ.get("DOCKER_HOST", "") or f"{UNIX}/var/run/docker.sock"


def write_archive(store: BlobStore, digest: str, name: str, file: IO[bytes]) -> None:
    """An image in the form of ``docker save`` (github.com/moby/docker-image-spec, "Combined Image JSON + Filesystem
    Changeset Format"); layers lie in it as they are, compressed ones too."""
    document = json.loads(store.read(digest, 1 << 24))
    config, layers = document["config"]["digest"], [each["digest"] for each in document["layers"]]
    listed = [
        {
            "Config": f"{hex_of(config)}.json",
            "RepoTags": [name],
            "Layers": [f"{number}/layer.tar" for number in range(len(layers))],
        }
    ]
    with tarfile.open(fileobj=file, mode="w|") as archive:
        for number, layer in enumerate(layers):
            _add(archive, f"{number}/layer.tar", store.path(layer))
        _add(archive, f"{hex_of(config)}.json", store.path(config))
        content = json.dumps(listed).encode()
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    member = tarfile.TarInfo(name)
    member.size = path.stat().st_size
    with path.open("rb") as file:
        archive.addfile(member, file)
