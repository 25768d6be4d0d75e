"""What most tests need: a real server in a process of its own, and unmodified boto3 clients that talk to it.

``server`` is one for the whole session, for tests that do not mind others' resources beside theirs (use names of
your own). ``start_server`` starts further ones, for tests that stop, kill or configure theirs.
"""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# Clients in tests sign as most do, without the runtime library that the server brings for its checksums.
os.environ.setdefault("BOTO_DISABLE_CRT", "true")

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


@pytest.fixture(scope="session", autouse=True)
def _room_for_files() -> None:
    """Thousands of tests in one process, some with thousands of connections: take all the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="session", autouse=True)
def _no_outside_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clients in tests read nobody's AWS configuration and wait for nobody's metadata service."""
    empty = tmp_path_factory.mktemp("aws") / "none"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(empty))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The session's server."""
    running = ServerProcess(tmp_path_factory.mktemp("server") / "data").start()
    yield running
    running.stop()
    running.end_what_runs()


@pytest.fixture(scope="session")
def still_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One whose clock stands still: nothing falls due but in the time that a test lets pass (``turn_clock``)."""
    running = ServerProcess(tmp_path_factory.mktemp("still") / "data").start()
    running.turn_clock("freeze")
    yield running
    running.stop(signal.SIGKILL)
    running.end_what_runs()


@pytest.fixture
def client(server: ServerProcess) -> Callable[..., Any]:
    """``client("s3")``: a boto3 client of the session's server, with the root's key."""
    return server.client


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """``start_server("--any-credentials")``: a server of this test's own, stopped after it."""
    started: list[ServerProcess] = []

    def start(*arguments: str, data: Path | None = None, **further: Any) -> ServerProcess:
        made = ServerProcess(data or tmp_path / f"data{len(started)}", arguments, **further)
        started.append(made)
        return made.start()

    yield start
    for running in started:
        running.stop(signal.SIGKILL)
        running.end_what_runs()
