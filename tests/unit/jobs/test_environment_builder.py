"""Building environments: once, whole or not at all. The locks here are empty, so nothing is fetched."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloche.compute.images import EnvironmentBuilder, EnvironmentFailed
from cloche.compute.images.interpreter import find_uv
from cloche_jobs.catalog import ENVIRONMENTS

KEY = ENVIRONMENTS[0]


@pytest.fixture
def builder(tmp_path: Path) -> EnvironmentBuilder:
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / f"{KEY}.txt").write_text("# nothing\n")
    return EnvironmentBuilder(tmp_path / "cache", locks=locks)


def test_built_once_and_found_again(builder: EnvironmentBuilder, tmp_path: Path) -> None:
    assert builder.find(KEY) is None
    lines: list[str] = []
    built = builder.ensure(KEY, lines.append)
    assert lines[0].startswith(f"building the environment {KEY}")
    assert lines[-1].startswith(f"environment {KEY} is ready after ")
    answer = subprocess.run([built.python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    assert Path(answer.stdout.strip()) == built.folder
    lines.clear()
    assert builder.ensure(KEY, lines.append) == built
    assert lines == []
    other = EnvironmentBuilder(builder.cache, locks=builder.locks)
    assert other.find(KEY) == built
    (status,) = other.status()
    assert (status.key, status.ready, status.failure) == (KEY, True, "")
    assert status.bytes > 0
    other.remove(KEY)
    assert EnvironmentBuilder(builder.cache, locks=builder.locks).find(KEY) is None


def test_another_lock_is_another_environment(builder: EnvironmentBuilder) -> None:
    first = builder.ensure(KEY)
    (builder.locks / f"{KEY}.txt").write_text("# nothing, but otherwise\n")
    second = EnvironmentBuilder(builder.cache, locks=builder.locks).ensure(KEY)
    assert first.folder != second.folder


def test_a_torn_build_is_no_environment_and_is_swept(builder: EnvironmentBuilder) -> None:
    built = builder.ensure(KEY)
    (built.folder / "cloche-environment.json").unlink()
    torn = builder.cache / f".{KEY}.building-1"
    torn.mkdir()
    (torn / "half").write_text("x")
    fresh = EnvironmentBuilder(builder.cache, locks=builder.locks)
    assert fresh.find(KEY) is None
    assert fresh.ensure(KEY).python.exists()
    assert not torn.exists()


def test_threads_wait_for_one_build(builder: EnvironmentBuilder) -> None:
    lines: list[str] = []
    found = []
    threads = [threading.Thread(target=lambda: found.append(builder.ensure(KEY, lines.append))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert sum("is ready after" in line for line in lines) == 1


def test_processes_wait_for_one_build(builder: EnvironmentBuilder) -> None:
    source = (
        "import sys\nfrom pathlib import Path\nfrom cloche.compute.images import EnvironmentBuilder\n"
        "EnvironmentBuilder(Path(sys.argv[1]), locks=Path(sys.argv[2])).ensure(sys.argv[3], print)"
    )
    command = [sys.executable, "-c", source, str(builder.cache), str(builder.locks), KEY]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("is ready after" in text for text in said) == 1


def test_failures_say_what_uv_said_and_leave_nothing(builder: EnvironmentBuilder) -> None:
    (builder.locks / f"{KEY}.txt").write_text("no-hash-here==1.0\n")
    with pytest.raises(EnvironmentFailed, match=f"the environment {KEY} could not be built") as failed:
        builder.ensure(KEY)
    assert "no-hash-here" in failed.value.message
    (status,) = builder.status()
    assert (status.ready, status.failure) == (False, failed.value.message)
    assert [path.name for path in builder.cache.iterdir()] == [f".{KEY}.lock"]
    with pytest.raises(EnvironmentFailed, match="no lock file"):
        builder.ensure("no-such-environment")


def test_uv_is_beside_the_interpreter() -> None:
    uv = find_uv()
    assert uv is not None
