"""The contract of ``compute.runtime.Runtime``, held against each sandbox of the local backend."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.local import LocalRuntime
from cloche.compute.local.sandbox import bubblewrap
from cloche.compute.runtime import Ended, Lost, Mount, Observation, ProcessSpec, Running, Standby
from cloche_jobs.contract import PACKAGE_ROOT, package_folder

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


@dataclass
class Bench:
    """A runtime with what a test needs to try it."""

    runtime: LocalRuntime
    folder: Path
    sandbox: str
    stands_by: bool = False
    """Every process that may is one that stood by."""
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def spec(self, script: str, id: str = "job", **changes: Any) -> ProcessSpec:
        ml_root = self.folder / "ml" / id
        ml_root.mkdir(parents=True, exist_ok=True)
        spec = ProcessSpec(
            id=id,
            argv=(PYTHON, "-u", "-c", script),
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            ml_root=ml_root,
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
            assert (self.folder / "run" / id / "lock").exists(), "it was started in the ordinary way"
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
        return LocalRuntime(self.folder / "run", self.sandbox)


@pytest.fixture(params=["bubblewrap", "standby", "process"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param != "process" and bubblewrap() is None:
        pytest.skip("bubblewrap is not there or cannot make a sandbox here: THE SANDBOX IS NOT TESTED")
    stands_by = request.param == "standby"
    sandbox = "bubblewrap" if stands_by else request.param
    runtime = LocalRuntime(tmp_path / "run", sandbox, standby=stands_by)
    yield Bench(runtime, tmp_path, sandbox, stands_by)
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
