"""Podman, where it is to run images of the user's own: as containers, by everything an image may count on.

Cloche's runner stays between the server and the container, as for any other process: it starts ``podman run`` and waits
for it, and knows the container's first process. Images are put into Podman's own store under ``localhost/cloche``. A
container's environment goes by a file, for a command line can be read by every user of the machine; only values of
several lines, which such a file cannot hold, are on it.

Podman is root's here. An ordinary user's would leave files in a job's folder that he could neither read nor remove.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloche.compute.images.store import BlobStore, hex_of
from cloche.compute.runtime import Host, Limits, Mount, ProcessSpec
from cloche.foundation.errors import Broken, Invalid

NAME: Final = "localhost/cloche"
ML_ROOT: Final = "/opt/ml"
RUNTIMES: Final = ("", "runc", "crun")
"""The one that Podman takes by itself, and others: crun refuses machines with both versions of control groups."""
SECONDS_MAX: Final = 3600.0
_CLIENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
"""All that ``podman`` itself has of an environment: nothing of a job's."""


@dataclass(frozen=True, slots=True)
class Podman:
    """``line`` begins every command."""

    line: tuple[str, ...]
    version: str

    def container(
        self,
        spec: ProcessSpec,
        number: int,
        token: str,
        folder: Path,
        addresses: Sequence[str],
        environment: Mapping[str, str],
    ) -> dict[str, Any]:
        """What the runner needs to know of one host's container, which has ``environment``; ``folder`` is the
        process's."""
        host = spec.hosts[number]
        assert host.root is not None and host.root.stored
        given = folder / f"environment-{number}"
        with os.fdopen(os.open(given, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in environment.items() if "\n" not in value)
        options = [
            *("--rm", "--log-driver", "none", "--sig-proxy=false", "--http-proxy=false", "--pull", "never"),
            *("--name", container_name(token, number), "--hostname", host.name),
            *("--pidfile", str(folder.resolve() / f"container-{number}")),
            *("--env-file", str(given.resolve()), "--workdir", host.directory or spec.directory, "--entrypoint", ""),
            *(word for name, value in environment.items() if "\n" in value for word in ("--env", f"{name}={value}")),
            *(word for each in _mounts(host) for word in ("--mount", each)),
            *_limits(spec.limits),
        ]
        for address, each in zip(addresses, spec.hosts, strict=True):
            options += ["--add-host", f"{each.name}:{address}"]
        # Several that are cut from the machine's are started in networks that their runner has made: that is "host".
        shares = host.inlet is None and (spec.network or bool(spec.more_hosts))
        options += ["--network", "host" if shares else "none"]
        return {
            "line": [*self.line, "run", *options, host.root.stored, *(host.argv or spec.argv)],
            "environment": _CLIENT,
            "environment_file": str(given.resolve()),
            "pid_file": str(folder.resolve() / f"container-{number}"),
            "remove": [*self.line, "rm", "--force", "--time", "0", container_name(token, number)],
        }

    def keep(self, store: BlobStore, digest: str) -> str:
        """The name of an image in Podman's store, put there if it is not yet. Raises ``Broken``."""
        name = f"{NAME}:{hex_of(digest)}"
        if self._run("image", "exists", name).returncode == 0:
            return name
        with tempfile.TemporaryDirectory(prefix="cloche-image-") as folder:
            lay_out(store, digest, Path(folder))
            done = self._run("pull", "--quiet", f"dir:{folder}")
        if done.returncode == 0:
            done = self._run("tag", done.stdout.strip().splitlines()[-1], name)
        if done.returncode != 0:
            raise Broken(f"Podman does not take it: {_said(done)}")
        return name

    def discard(self, name: str) -> None:
        """Throw an image away, unless something runs in it."""
        self._run("rmi", name)

    def remove(self, token: str, hosts: int) -> None:
        """Containers of a process whose runner was killed."""
        self._run("rm", "--force", "--ignore", "--time", "0", *(container_name(token, each) for each in range(hosts)))

    def attempt(self) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine's, which sees nothing else; it answers with Podman's version."""
        with tempfile.TemporaryDirectory(prefix="cloche-podman-") as folder:
            options = ["--rm", "--network", "none", "--read-only", "--log-driver", "none", *_limits(Limits())]
            for each in ("/usr", "/bin", "/lib", "/lib64"):
                if Path(each).exists():
                    options += ["--volume", f"{each}:{each}:ro"]
            done = self._run("run", *options, "--rootfs", folder, "/bin/true")
        return done if done.returncode else self._run("version", "--format", "{{.Client.Version}}")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.line, *words], capture_output=True, text=True, timeout=SECONDS_MAX, check=False, env=_CLIENT
        )


def found() -> Podman:
    """Podman, tried: a container is run. Raises ``Invalid`` with why there is none."""
    path = shutil.which("podman", path=_CLIENT["PATH"])
    if path is None:
        raise Invalid("podman is not there: apt install podman, dnf install podman", field="containers")
    if os.geteuid() != 0:
        raise Invalid(
            "podman runs an ordinary user's containers under numbers that he has not himself: what they leave could "
            "neither be read nor removed. Start Cloche as root for it; without, images run in bubblewrap",
            field="containers",
        )
    why = ""
    for runtime in RUNTIMES:
        if runtime and shutil.which(runtime, path=_CLIENT["PATH"]) is None:
            continue
        podman = Podman((path, "--runtime", runtime) if runtime else (path,), "")
        done = podman.attempt()
        if done.returncode == 0:
            return Podman(podman.line, done.stdout.strip())
        why = why or _said(done)
    raise Invalid(f"podman is there and runs nothing: {why}", field="containers")


def lay_out(store: BlobStore, digest: str, folder: Path) -> None:
    """An image in the form that containers/image calls ``dir``, which takes every kind of manifest
    (github.com/containers/image, ``directory/directory_transport.go``): blobs are linked, not copied."""
    manifest = store.read(digest, 1 << 24)
    document = json.loads(manifest)
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(manifest)
    for each in (document["config"], *document["layers"]):
        (folder / hex_of(each["digest"])).symlink_to(store.path(each["digest"]).resolve())


def container_name(token: str, number: int) -> str:
    return f"cloche-{token}-{number}"


def open_to_all(host: Host) -> None:
    """Whoever a container runs as finds in ``/opt/ml`` what root finds there, and may write where root may: it lies in
    folders that nobody else of this machine can enter. So it is with SageMaker's."""
    for folder, more_folder, more_file in (
        (host.ml_root, 0o777, 0o666),
        *((m.source, 0o555, 0o444) for m in host.mounts),
    ):
        for path in [folder, *folder.rglob("*")] if folder.is_dir() else [folder]:
            if path.is_symlink():
                continue
            with suppress(FileNotFoundError):
                mode = path.stat().st_mode
                more = more_folder if path.is_dir() else more_file
                if mode & more != more:
                    path.chmod(mode & 0o7777 | more)


def _mounts(host: Host) -> list[str]:
    mounts = [Mount(host.ml_root, ML_ROOT, writable=True)]
    mounts += sorted(host.mounts, key=lambda mount: mount.target.count("/"))
    return [
        f"type=bind,{_quoted('src', str(each.source.resolve()))},{_quoted('dst', each.target)}"
        + ("" if each.writable else ",ro=true")
        for each in mounts
    ]


def _quoted(name: str, value: str) -> str:
    """A field of a line of CSV, which the option takes."""
    text = f"{name}={value}"
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"') else text


def _limits(limits: Limits) -> list[str]:
    """No process may raise what this one itself may not. Memory is that of the container, not of each process."""
    wanted: Mapping[str, tuple[int, int | None]] = {
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes or limits.disk_bytes),
        "core": (resource.RLIMIT_CORE, 0),
    }
    line: list[str] = []
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        bound = hard if value is None else value if hard == resource.RLIM_INFINITY else min(value, hard)
        if bound != resource.RLIM_INFINITY:
            line += ["--ulimit", f"{name}={bound}:{bound}"]
    memory = limits.resident_bytes or limits.memory_bytes
    line += ["--memory", str(memory)] if memory else []
    return [*line, "--pids-limit", str(limits.processes or -1)]


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1].removeprefix("Error: ") if lines else f"exit {done.returncode}"
