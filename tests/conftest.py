"""What most tests need: a real server in a process of its own, and unmodified boto3 clients that talk to it.

``server`` is one for the whole session, for tests that do not mind others' resources beside theirs (use names of
your own). ``start_server`` starts further ones, for tests that stop, kill or configure theirs.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from container_programs import Programs, programs
from server_process import ServerProcess

# Clients in tests sign as most do, without the runtime library that the server brings for its checksums.
os.environ.setdefault("BOTO_DISABLE_CRT", "true")

# How quick this machine is at making and trying examples is nothing that a test asserts: it may be busy with others.
settings.register_profile("busy machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with journeys come first, then those with slow tests: what takes minutes must not begin last."""
    ranks: dict[Path, int] = {}
    for item in items:
        rank = 0 if item.get_closest_marker("journey") else 1 if item.get_closest_marker("slow") else 2
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])


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


@pytest.fixture(scope="session")
def container_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """``container_programs.program("docker")``: Docker or Podman, where it works here."""
    with programs(tmp_path_factory.mktemp("docker")) as made:
        yield made


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
