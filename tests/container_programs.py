"""The programs that run containers, for tests: those of this machine, and a Docker daemon of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloche.compute.containers.finding import found
from cloche.compute.containers.program import NAME, ContainerProgram
from cloche.foundation.errors import Invalid

DAEMON_SECONDS_MAX = 20.0
APART = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false")
"""A daemon of the tests' changes nothing of the machine's network."""


class Programs:
    """Those that were found, each tried once; a test that wants one that is not there is skipped, loudly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, ContainerProgram | Invalid] = {}
        self._kept: dict[str, set[str]] = {}
        self._daemon: subprocess.Popen[bytes] | None = None

    def program(self, name: str) -> ContainerProgram:
        if name not in self._found:
            program = self._found[name] = self._tried(name)
            self._kept[name] = {*images(program)} if isinstance(program, ContainerProgram) else set()
        program = self._found[name]
        if isinstance(program, Invalid):
            pytest.skip(f"{name.upper()} IS NOT TESTED: {program.message}")
        return program

    def _tried(self, name: str) -> ContainerProgram | Invalid:
        try:
            return found(name)
        except Invalid as error:
            if name != "docker" or os.geteuid() != 0 or shutil.which("dockerd") is None or "DOCKER_HOST" in os.environ:
                return error
        self._start_daemon()
        try:
            return found(name)
        except Invalid as error:
            return error

    def _start_daemon(self) -> None:
        socket = self._folder / "docker.sock"
        folders = ("--data-root", str(self._folder / "data"), "--exec-root", str(self._folder / "exec"))
        line = ["dockerd", "--host", f"unix://{socket}", *folders, "--pidfile", str(self._folder / "pid"), *APART]
        with (self._folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(line, stdout=log, stderr=log)
        os.environ["DOCKER_HOST"] = f"unix://{socket}"
        deadline = time.monotonic() + DAEMON_SECONDS_MAX
        while time.monotonic() < deadline and self._daemon.poll() is None:
            if subprocess.run(["docker", "version"], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)

    def close(self) -> None:
        """Images that were there before stay; so do all where other tests, which run beside these, may use them."""
        for name, program in self._found.items():
            if isinstance(program, ContainerProgram) and "PYTEST_XDIST_WORKER" not in os.environ:
                for image in set(images(program)) - self._kept[name]:
                    program.discard(image)
        if self._daemon is not None:
            del os.environ["DOCKER_HOST"]
            self._daemon.terminate()
            self._daemon.wait(30)
            self._unmount()
            shutil.rmtree(self._folder)

    def _unmount(self) -> None:
        """A daemon leaves the mount by which it knows this machine's network."""
        targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for target in reversed([each for each in targets if each.startswith(f"{self._folder}/")]):
            subprocess.run(["umount", target], check=True)


@contextmanager
def programs(folder: Path) -> Iterator[Programs]:
    made = Programs(folder)
    try:
        yield made
    finally:
        made.close()


def images(program: ContainerProgram) -> list[str]:
    """Those of Cloche's in the program's store."""
    lines = program.run("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    return [name for name in lines if name.startswith(NAME)]


def containers(program: ContainerProgram) -> list[str]:
    """The names of Cloche's containers, of those that have ended too."""
    lines = program.run("ps", "--all", "--format", "{{.Names}}").stdout.split()
    return [name for name in lines if name.startswith("cloche-")]
