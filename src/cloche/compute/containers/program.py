"""A program that runs containers, and what Cloche asks of it.

Cloche's runner stays between the server and the container, as for any other process: it starts ``run`` and waits for
it, and knows the container's first process. Images are put into the program's own store under ``localhost/cloche``. A
container's environment goes by a file, for a command line can be read by every user of the machine; only values that
such a file cannot hold are on it.

The containers are root's here. An ordinary user's would leave files in a job's folder that he could neither read nor
remove, and he may not end their processes.
"""

from __future__ import annotations

import os
import resource
import secrets
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from cloche.compute.images.store import BlobStore, hex_of
from cloche.compute.local.cgroups import memory_bytes_of_all
from cloche.compute.local.sandbox import meet_apart, scratch_bytes
from cloche.compute.runtime import Host, Limits, Mount, ProcessSpec
from cloche.foundation.errors import Broken, Invalid

NAME: Final = "localhost/cloche"
NOTHING: Final = f"{NAME}:nothing"
"""An image without a file: what runs in it are programs of this machine's."""
ML_ROOT: Final = "/opt/ml"
SECONDS_MAX: Final = 3600.0
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LINE_BYTES_MAX: Final = 60_000
"""Of a line in a file of variables: both programs give up beyond 64 KiB (Go's ``bufio.Scanner``)."""
LATE_SECONDS: Final = 0.5
OOM_SCORE: Final = "800"
"""When this machine's memory runs out the kernel ends a job before the server."""
NOT_GIVEN: Final = ("MKNOD", "NET_RAW")
"""Of the capabilities that the programs give: a job has no use for devices, and one that shares this machine's network
could read and forge its packets."""


@dataclass(frozen=True, slots=True)
class ContainerProgram(ABC):
    """``line`` begins every command."""

    line: tuple[str, ...]
    version: str = ""

    name: ClassVar[str]
    starts_containers: ClassVar[bool]
    """``run`` itself does, and what bounds it bounds them."""
    removing: ClassVar[tuple[str, ...]]
    """The command that ends containers and removes them."""
    asking: ClassVar[tuple[str, ...]]
    """The command that answers with the version."""

    @property
    def environment(self) -> dict[str, str]:
        """All that the program itself has of one: nothing of a job's."""
        return {"PATH": PATH, "HOME": "/root"}

    @abstractmethod
    def own_options(self, container: str, pid_file: Path) -> list[str]:
        """What only this program's ``run`` is told."""

    @abstractmethod
    def joining(self, container: str, host: Host, names: Sequence[str]) -> dict[str, Any]:
        """How a host comes into the network that the runner makes for it: ``options`` for ``run``, and ``network``,
        where another container has to hold it: the line that starts that one. ``names`` are the hosts' options."""

    @abstractmethod
    def finding(self, container: str) -> list[str]:
        """The line that prints a container's first process and when it began; empty where ``run`` writes the first
        to a file by itself, and removes the container when it has ended."""

    @abstractmethod
    def take_in(self, store: BlobStore, digest: str, name: str) -> subprocess.CompletedProcess[str]:
        """Put an image into the program's store."""

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
        name, pid_file = container_name(token, number), folder.resolve() / f"container-{number}"
        pid_file.touch(mode=0o600)  # there may be one from now on: whoever sweeps looks for it
        variables = _variables(folder.resolve() / f"environment-{number}", environment)
        named = ["--hostname", host.name]
        for address, each in zip(addresses, spec.hosts, strict=True):
            named += ["--add-host", f"{each.name}:{address}"]
        joined: dict[str, Any] = {"options": [*named, "--network", "none"]}
        if host.inlet is None and meet_apart(spec):
            joined = self.joining(name, host, named)
        elif host.inlet is None and spec.network:
            joined = {"options": [*named, "--network", "host"]}
        options = [
            *("--log-driver", "none", "--sig-proxy=false", "--pull", "never", "--name", name),
            *("--workdir", host.directory or spec.directory, "--entrypoint", ""),
            *variables,
            *(word for each in _mounts(host) for word in ("--mount", each)),
            *(word for each in NOT_GIVEN for word in ("--cap-drop", each)),
            *("--security-opt", "no-new-privileges", "--oom-score-adj", OOM_SCORE),
            *("--shm-size", str(scratch_bytes())),
            *_limits(spec.limits),
            *joined["options"],
            *self.own_options(name, pid_file),
        ]
        return {
            "line": [*self.line, "run", *options, host.root.stored, *(host.argv or spec.argv)],
            "environment": self.environment,
            "environment_file": str(folder.resolve() / f"environment-{number}"),
            "pid_file": str(pid_file),
            "find": self.finding(name),
            "network": joined.get("network"),
            "own_sockets": self.starts_containers and host.inlet is None and spec.network,
            "memory_bytes": _memory_bytes(spec.limits),
            "remove": [*self.line, *self.removing, name, *([network_name(name)] if "network" in joined else [])],
        }

    def keep(self, store: BlobStore, digest: str) -> str:
        """The name of an image in the program's store, put there if it is not yet. Raises ``Broken``."""
        name = f"{NAME}:{hex_of(digest)}"
        if not self._has(name):
            done = self.take_in(store, digest, name)
            if done.returncode != 0:
                raise Broken(f"{self.name.capitalize()} does not take it: {said(done)}")
        return name

    def discard(self, name: str) -> None:
        """Throw an image away, unless something runs in it."""
        self.run("rmi", name)

    def remove(self, token: str) -> None:
        """Containers of a process whose runner was killed, and who ran ``run`` for it. A daemon may just be about to
        make what that had asked for: so it is looked once more."""
        listing = ("ps", "--all", "--format", "{{.Names}}", "--filter", f"name={container_name(token)}")
        for pause in (0.0,) if self.starts_containers else (0.0, LATE_SECONDS):
            time.sleep(pause)
            for each in self.run(*listing).stdout.split():
                self.run(*self.removing, each)

    def tried(self) -> Self:
        """The same, with its version, once a container has run: it has files, networks and processes in common with
        this one here. Raises ``Invalid``."""
        why = f"{self.name} is there and runs nothing: "
        if not self._has(NOTHING):
            done = self.run("import", "-", NOTHING, given=b"\0" * 10240)
            if done.returncode != 0:
                raise Invalid(why + said(done), field="containers")
        with tempfile.TemporaryDirectory(prefix="cloche-containers-") as folder:
            word, file = secrets.token_hex(16), Path(folder, "word")
            file.write_text(word)
            shared = ("--mount", f"type=bind,src={file},dst=/word,ro=true", "--pid", "host", "--network", "host")
            look = "readlink /proc/self/ns/pid /proc/self/ns/net; cat /word"
            done = self.run("run", "--rm", *shared, *of_this_machine(), *_limits(Limits()), NOTHING, "sh", "-c", look)
        if done.returncode != 0:
            raise Invalid(why + said(done), field="containers")
        here = [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("pid", "net")]
        if done.stdout.split() != [*here, word]:
            raise Invalid(
                f"{self.name} runs containers elsewhere than where Cloche runs: in a machine or a container of its own",
                field="containers",
            )
        return replace(self, version=self.run(*self.asking).stdout.strip())

    def run(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.line, *words],
            input=given,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
            env=self.environment,
        )
        texts = (out.decode("utf-8", "replace") for out in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, *texts)

    def _has(self, name: str) -> bool:
        return self.run("image", "inspect", "--format", "{{.Id}}", name).returncode == 0


def of_this_machine() -> list[str]:
    """The options by which programs of this machine's run in ``NOTHING``."""
    line = ["--read-only", "--log-driver", "none", "--pull", "never", "--env", f"PATH={PATH}"]
    for each in ("/usr", "/bin", "/lib", "/lib64"):
        if Path(each).exists():
            line += ["--volume", f"{each}:{each}:ro"]
    return line


def container_name(token: str, number: int | str = "") -> str:
    return f"cloche-{token}-{number}"


def network_name(container: str) -> str:
    """Of the container that holds another's network."""
    return f"{container}-network"


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed says of it, without who says it and what help there is."""
    lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line]
    lines = [line for line in lines if not line.startswith(("See '", "Run '"))]
    text = lines[-1] if lines else f"exit {done.returncode}"
    for who in ("Error: ", "docker: ", "Error response from daemon: "):
        text = text.removeprefix(who)
    return text


def _variables(path: Path, environment: Mapping[str, str]) -> list[str]:
    """Options; the file that they name is made."""
    on_line = {
        name for name, value in environment.items() if {"\n", "\r"} & {*value} or len(value.encode()) > LINE_BYTES_MAX
    }
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in environment.items() if name not in on_line)
    return ["--env-file", str(path), *(word for name in on_line for word in ("--env", f"{name}={environment[name]}"))]


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
    return [*line, "--memory", str(_memory_bytes(limits)), "--pids-limit", str(limits.processes or -1)]


def _memory_bytes(limits: Limits) -> int:
    return limits.resident_bytes or limits.memory_bytes or memory_bytes_of_all()
