"""The contract of ``compute.runtime.Runtime``, held against each sandbox of the local backend."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.containers.finding import NAMES
from cloche.compute.images.archives import load
from cloche.compute.images.own import OwnImage, OwnImages
from cloche.compute.images.store import BlobStore
from cloche.compute.local import LocalRuntime
from cloche.compute.local.root import works
from cloche.compute.local.sandbox import bubblewrap
from cloche.compute.runtime import Ended, Lost, Mount, Observation, ProcessSpec, Root, Running, Standby
from cloche_jobs.contract import PACKAGE_ROOT, package_folder
from container_programs import Programs
from made_images import of_root, python_image

CONTAINED = frozenset(
    {
        "test_a_program_that_is_not_there",
        "test_the_environment_is_kept_nowhere_once_the_process_runs",
        "test_stop_gives_time_to_finish",
        "test_stop_without_a_handler_ends_at_once",
        "test_a_new_server_can_stop_it",
        "test_they_find_each_other",
        "test_nothing_is_left_when_the_runner_is_killed",
        "test_somebody_elses_folder_is_left_as_it_is",
    }
)
"""Held by Docker's and Podman's containers always, as is all of ``test_escapes``; with ``CONTAINER_TESTS=all`` in the
environment the rest is, too (two minutes)."""
PYTHON = str(Path(sys.executable))


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about")


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def stood_by(folder: Path, id: str) -> bool:
    """Whether a process was made ahead: its runner knew of it when it claimed it."""
    return "process" in json.loads((folder / "run" / id / "runner.json").read_text())


@dataclass
class Bench:
    """A runtime with what a test needs to try it."""

    runtime: LocalRuntime
    folder: Path
    sandbox: str
    stands_by: bool = False
    """Every process that may is one that stood by."""
    root: Root | None = None
    """Every process has an image as its root."""
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def python(self) -> str:
        return PYTHON if self.root is None else "/usr/local/bin/python3"

    def spec(self, script: str, id: str = "job", **changes: Any) -> ProcessSpec:
        ml_root = self.folder / "ml" / id
        ml_root.mkdir(parents=True, exist_ok=True)
        spec = ProcessSpec(
            id=id,
            argv=(self.python, "-u", "-c", script),
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            ml_root=ml_root,
            root=self.root,
        )
        spec = replace(spec, **changes)
        if self.stands_by:
            package = Mount(package_folder(), str(PACKAGE_ROOT / "cloche_jobs"))
            spec = replace(spec, standby=Standby(), mounts=(package, *spec.mounts))
        return spec

    def start(self, script: str, id: str = "job", **changes: Any) -> ProcessSpec:
        spec = self.spec(script, id, **changes)
        with self.one_at_a_time:
            prepared = self.stands_by and self.runtime.prepare(spec)
            self.runtime.start(spec)
        if prepared:
            assert stood_by(self.folder, id), "it was started in the ordinary way"
        return spec

    def ended(self, id: str = "job", runtime: LocalRuntime | None = None) -> Ended:
        def look() -> Observation | None:
            seen = (runtime or self.runtime).observe(id)
            return None if isinstance(seen, Running) else seen

        seen = until(look, f"the end of {id}")
        assert isinstance(seen, Ended), seen
        return seen

    def lost(self, id: str = "job") -> Lost:
        def look() -> Observation | None:
            seen = self.runtime.observe(id)
            return None if isinstance(seen, Running) else seen

        seen = until(look, f"the end of {id}")
        assert isinstance(seen, Lost), seen
        return seen

    def run(self, script: str, id: str = "job", **changes: Any) -> Ended:
        self.start(script, id, **changes)
        return self.ended(id)

    def printed(self, id: str = "job", host: int = 0) -> str:
        with suppress(FileNotFoundError):
            return self.runtime.output(id, host).read_text()
        return ""

    def says(self, text: str, id: str = "job", host: int = 0) -> None:
        until(lambda: text in self.printed(id, host), f"{text!r} from {id}")

    def beside(self) -> LocalRuntime:
        """The runtime of a server that was started after this one."""
        return LocalRuntime(self.folder / "run", self.sandbox, containers=self.runtime.containers)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Who tries to get out tries it from an image of his own, too."""
    if "bench" in metafunc.fixturenames:
        escapes = metafunc.module.__name__.rpartition(".")[2] == "test_escapes"
        held = metafunc.module.__name__.rpartition(".")[2] in ("test_runtime", "test_hosts", "test_companions")
        contained = held and ("CONTAINER_TESTS" in os.environ or metafunc.function.__name__ in CONTAINED)
        kinds = ["bubblewrap", "standby", "process", *(["image"] if escapes else [])]
        kinds += NAMES if contained or escapes else []
        metafunc.parametrize("bench", kinds, indirect=True)


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], OwnImage]:
    """The example's image, unpacked for ``many`` users or for ``one``."""
    if bubblewrap() is None or not works():
        pytest.skip("images cannot be run here: IMAGES OF ONE'S OWN ARE NOT TESTED")

    @cache
    def unpacked_for(users: str) -> OwnImage:
        folder = tmp_path_factory.mktemp("image")
        store = BlobStore(folder / "registry")
        ((_, digest),) = load(store, python_image(folder / "image.tar"))
        with pytest.MonkeyPatch.context() as patch:
            if users == "one":
                patch.setattr("cloche.compute.images.own.many", lambda: None)
            return OwnImages(store, folder / "rootfs").ready(digest)

    return unpacked_for


@pytest.fixture(scope="session")
def python_root(unpacked: Callable[[str], OwnImage]) -> OwnImage:
    """The example's image, unpacked."""
    return unpacked("many")


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory, container_programs: Programs) -> Callable[[str], Root]:
    """The example's image, but that root runs it, in the store of Docker or Podman."""

    @cache
    def stored_by(name: str) -> Root:
        program = container_programs.program(name)
        folder = tmp_path_factory.mktemp("stored")
        store = BlobStore(folder / "registry")
        ((_, digest),) = load(store, of_root(python_image(folder / "image.tar")))
        image = OwnImages(store, folder / "rootfs", keeper=program).ready(digest)
        return Root(image.root, image.in_use, stored=image.stored)

    return stored_by


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param != "process" and bubblewrap() is None:
        pytest.skip("bubblewrap is not there or cannot make a sandbox here: THE SANDBOX IS NOT TESTED")
    stands_by = request.param == "standby"
    root, program = None, None
    if request.param == "image":
        image: OwnImage = request.getfixturevalue("python_root")
        root = Root(image.root, image.in_use)
    if request.param in NAMES:
        program = request.getfixturevalue("container_programs").program(request.param)
        root = request.getfixturevalue("stored")(request.param)
    sandbox = "process" if request.param == "process" else "bubblewrap"
    runtime = LocalRuntime(tmp_path / "run", sandbox, standby=stands_by, containers=program)
    yield Bench(runtime, tmp_path, sandbox, stands_by, root)
    for id in runtime.known():
        runtime.forget(id)
    runtime.close()


@pytest.fixture
def boxed(bench: Bench) -> Bench:
    if not bench.runtime.capabilities.private_files:
        pytest.skip("a plain process promises nothing of the kind")
    return bench


@pytest.fixture(autouse=True)
def no_secrets_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SERVER_SECRET", "of the server alone")
