"""Where execution environments live: a folder each, a socket, a process of the compute backend.

A process sees its package at ``/var/task``, its layers at ``/opt``, a ``/tmp`` of its own, and nothing else of the
machine; without a sandbox, the same folders by their real names. What is needed to find an environment again after the
server was killed is written down in its folder before its process starts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cloche.compute.runtime import Limits, Mount, ProcessSpec, Running, Runtime
from cloche.engines.functions.packages import Packages
from cloche.engines.functions.plan import Version
from cloche.foundation.limits import GIB, MIB
from cloche.serving.sockets import make_private
from cloche_jobs.catalog import FUNCTIONS
from cloche_jobs.contract import frames, package_folder

PREFIX: Final = "lambda-"
TASK_ROOT: Final = "/var/task"
LAYER_ROOT: Final = "/opt"
RUNTIME_ROOT: Final = "/var/runtime"
SOCKET_FOLDER: Final = "/run/cloche-function"
MAPPED_BYTES_UNUSED: Final = GIB
OWN_BYTES: Final = 32 * MIB
"""What our own part of an environment may use beside the function: the sandbox's first process."""
PROCESSES_MAX: Final = 1_024
OPEN_FILES_MAX: Final = 1_024
"""Both: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
LIFE_SECONDS: Final = 6 * 3600.0
"""The keys of the role last twelve hours; AWS too ends environments every few hours."""
ALONE_SECONDS: Final = 300.0


class Images(Protocol):
    def tool(self, environment: str) -> Path:
        """The interpreter of that environment, which is built first if need be. Raises ``EnvironmentFailed``."""
        ...

    def version(self) -> str:
        """Of that Python."""
        ...


class RoleKeys(Protocol):
    """How a function gets the keys of its role."""

    def environment(self, role_arn: str, session_name: str) -> Mapping[str, str]:
        """Variables with keys of the role that last twelve hours. Raises ``NotFound`` or ``Denied``."""
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    root: Path
    sockets: Path
    runtime: Runtime
    packages: Packages
    images: Images
    keys: RoleKeys

    def socket(self, process: str) -> Path:
        return self.sockets / process / "s"

    def make_socket_folder(self, process: str) -> str:
        """A free place to listen at."""
        make_private(self.sockets)
        path = self.socket(process)
        make_private(path.parent)
        path.unlink(missing_ok=True)
        return str(path)

    def start(self, process: str, version: Version, stream: str) -> None:
        """Takes milliseconds, more where a package is to be unpacked again. Raises ``ClocheError``."""
        folder = self.root / process
        (folder / "ml" / "tmp").mkdir(parents=True, exist_ok=True)
        owner = version.owner
        told = {"account": owner.account, "region": owner.region, "name": owner.name, "number": version.number}
        (folder / "environment.json").write_text(json.dumps({**told, "serial": version.serial, "stream": stream}))
        configuration = version.configuration
        private = self.runtime.capabilities.private_files
        task = self.packages.folder(version.code.name)
        layers = self.packages.layers([layer.code for layer in configuration.layers])
        python = self.images.tool(FUNCTIONS)
        temporary = folder / "ml" / "tmp"
        mounts = [Mount(package_folder(), f"{RUNTIME_ROOT}/cloche_jobs"), Mount(task, TASK_ROOT)]
        mounts.append(Mount(temporary, "/tmp", writable=True))  # noqa: S108 - a folder of its own
        mounts.append(Mount(self.socket(process).parent, SOCKET_FOLDER))
        if layers is not None:
            mounts.append(Mount(layers, LAYER_ROOT))
        shown = {
            "task": TASK_ROOT if private else str(task),
            "layers": LAYER_ROOT if private else str(layers or "/nowhere"),
            "cloche_jobs": RUNTIME_ROOT if private else str(package_folder().parent),
            "temporary": "/tmp" if private else str(temporary),  # noqa: S108
            "socket": f"{SOCKET_FOLDER}/s" if private else str(self.socket(process)),
        }
        self.runtime.start(
            ProcessSpec(
                id=process,
                argv=(str(python), "-P", "-m", frames.MODULE),
                environment=self._variables(process, version, stream, python, shown),
                ml_root=folder / "ml",
                mounts=tuple(mounts),
                directory=shown["task"],
                host_name=process,
                limits=Limits(
                    memory_bytes=configuration.memory_mb * MIB + MAPPED_BYTES_UNUSED,
                    resident_bytes=configuration.memory_mb * MIB + OWN_BYTES,
                    processes=PROCESSES_MAX,
                    open_files=OPEN_FILES_MAX,
                    disk_bytes=configuration.storage_mb * MIB,
                ),
                max_runtime_seconds=LIFE_SECONDS + 1200,
                stop_grace_seconds=0.0,
            )
        )

    def _variables(
        self, process: str, version: Version, stream: str, python: Path, shown: Mapping[str, str]
    ) -> dict[str, str]:
        """docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, in its order of who wins."""
        owner, configuration = version.owner, version.configuration
        layers = shown["layers"]
        lib = f"{layers}/python/lib/python{'.'.join(self.images.version().split('.')[:2])}/site-packages"
        return {
            "PATH": f"{python.parent}:/usr/local/bin:/usr/bin/:/bin:{layers}/bin",
            "LD_LIBRARY_PATH": f"{shown['task']}:{shown['task']}/lib:{layers}/lib",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            **configuration.environment,
            "PYTHONPATH": ":".join(
                [
                    shown["cloche_jobs"],
                    *filter(None, [configuration.environment.get("PYTHONPATH")]),
                    lib,
                    f"{layers}/python",
                ]
            ),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
            "TMPDIR": shown["temporary"],
            "AWS_LAMBDA_FUNCTION_NAME": owner.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.qualifier,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
            frames.STREAM_VARIABLE: stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
            "AWS_REGION": owner.region,
            "AWS_DEFAULT_REGION": owner.region,
            "LAMBDA_TASK_ROOT": shown["task"],
            "LAMBDA_RUNTIME_DIR": shown["cloche_jobs"],
            "_HANDLER": configuration.handler,
            frames.SOCKET_VARIABLE: shown["socket"],
            frames.ALONE_VARIABLE: str(ALONE_SECONDS),
            frames.VERSION_VARIABLE: self._first_line(version),
            **self.keys.environment(configuration.role, owner.name),
        }

    def _first_line(self, version: Version) -> str:
        """INIT_START; where another Python stands in for the one asked for, it is said."""
        number, wanted = self.images.version(), version.configuration.runtime.removeprefix("python")
        other = "" if number.startswith(f"{wanted}.") else f" stands in for Python {wanted}"
        arn = f"arn:aws:lambda:{version.owner.region}::runtime:cloche-cpython-{number}"
        return f"INIT_START Runtime Version: cpython:{number}{other}\tRuntime Version ARN: {arn}"

    def written(self, process: str) -> dict[str, Any] | None:
        """What was written down of an environment whose process runs; ``None`` for any other."""
        if not isinstance(self.runtime.observe(process), Running):
            return None
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self.root / process / "environment.json").read_text())
            return told
        return None

    def forget(self, process: str) -> None:
        """End it, if it runs, and drop what is kept of it."""
        self.runtime.forget(process)
        shutil.rmtree(self.root / process, ignore_errors=True)
        shutil.rmtree(self.socket(process).parent, ignore_errors=True)
