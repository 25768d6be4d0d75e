"""A real server in a process of its own, and unmodified boto3 clients that talk to it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REGION = "us-east-1"
ACCOUNT = "123456789012"
START_SECONDS_MAX = 60


@dataclass
class ServerProcess:
    """A server on a free port of loopback, with a data directory of its own."""

    data: Path
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """Set beside what every server of the tests has."""
    open_files: int | None = None
    """The soft limit that its shell would have given it."""
    process: subprocess.Popen[str] | None = None
    url: str = ""
    _clients: list[Any] = field(default_factory=list)

    def start(self) -> ServerProcess:
        """Start it (again) on this data directory and wait until it answers."""
        port = self.url.rpartition(":")[2] if self.url else "0"
        command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", port, "--data", str(self.data)]
        log = (self.data.parent / f"{self.data.name}.log").open("a")
        with log:
            self.process = subprocess.Popen(
                [*command, *self.arguments],
                stdout=log,
                stderr=log,
                text=True,
                env=_environment() | self.environment,
                preexec_fn=self._limit,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                pytest.fail(f"the server did not start:\n{self.log()}")
            time.sleep(0.02)
        return self

    def _limit(self) -> None:
        if self.open_files is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.open_files, hard))

    def _is_ready(self) -> bool:
        try:
            said = json.loads((self.data / "server.json").read_text())
            if self.process is None or said["pid"] != self.process.pid:
                return False
            self.url = f"http://127.0.0.1:{said['port']}"
            with urllib.request.urlopen(f"{self.url}/_cloche/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError, KeyError, urllib.error.URLError):
            return False

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Stop it by that signal; its exit code."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process = None
        return code

    def end_what_runs(self) -> None:
        """End the jobs and model servers it left running: they outlive a server, which is the point of them."""
        from cloche.compute.local import LocalRuntime

        folder = self.data / "run" / "processes"
        if folder.is_dir():
            runtime = LocalRuntime(folder, "process")
            for id in runtime.known():
                runtime.forget(id)
            runtime.close()
        from cloche.serving.sockets import socket_folder

        shutil.rmtree(socket_folder(self.data))

    def log(self) -> str:
        """All it has printed."""
        return (self.data.parent / f"{self.data.name}.log").read_text()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def keys(self) -> dict[str, str]:
        """The root's access key, as boto3's arguments."""
        root = json.loads((self.data / "keys" / "root.json").read_text())
        return {"aws_access_key_id": root["AccessKeyId"], "aws_secret_access_key": root["SecretAccessKey"]}

    def turn_clock(self, *arguments: str, fails: bool = False) -> str:
        """``turn_clock("advance", "1h")``: what ``cloche clock`` prints."""
        command = [sys.executable, "-m", "cloche.cli.main", "clock", *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def client(self, service: str, **arguments: Any) -> Any:
        """An unmodified boto3 client with the root's key; ``arguments`` go to ``boto3.client``."""
        import boto3
        import botocore.session

        given = {"region_name": REGION, "endpoint_url": self.url, **self.keys, **arguments}
        core = botocore.session.Session()
        core.register_component("data_loader", _models())
        session = boto3.session.Session(botocore_session=core)
        made = session.client(service, **given)
        self._clients.append(made)
        return made


@cache
def _models() -> Any:
    """One loader of AWS's models for all clients: each would read megabytes of its own otherwise, and keep them."""
    from botocore.loaders import Loader

    class Shared(Loader):
        """Every session adds where boto3 has its own models: once is enough."""

        @property
        def search_paths(self) -> list[str]:
            paths: list[str] = super().search_paths
            paths[:] = dict.fromkeys(paths)
            return paths

    return Shared()


def _environment() -> dict[str, str]:
    """This process's, without what would lead a client elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOCHE_"))}
