"""Processes that stand by: they become what is asked for, and nothing else; none outlives its server unused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.local import LocalRuntime
from cloche.compute.local import standby as standby_module
from cloche.compute.local.sandbox import bubblewrap
from cloche.compute.runtime import Mount, ProcessSpec, Standby
from cloche_jobs.contract import PACKAGE_ROOT, package_folder

from .conftest import Bench, is_there, stood_by, until

Spec = Callable[..., ProcessSpec]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Bench]:
    if bubblewrap() is None:
        pytest.skip("bubblewrap is not there or cannot make a sandbox here: STANDING BY IS NOT TESTED")
    runtime = LocalRuntime(tmp_path / "run", "bubblewrap", standby=True)
    yield Bench(runtime, tmp_path, "bubblewrap", stands_by=True)
    for id in runtime.known():
        runtime.forget(id)
    runtime.close()
    assert list((tmp_path / "run" / ".standby").iterdir()) == []


def pids_that_wait(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink().parent == folder / "run" / ".standby":
                    found.append(int(entry.name))
    return [pid for pid in found if is_there(pid)]


def test_the_second_of_a_kind_stood_by(waiting: Bench) -> None:
    first = waiting.spec("print('one')", "one")
    waiting.runtime.start(first)
    assert waiting.ended("one").exit_code == 0 and not stood_by(waiting.folder, "one")
    assert waiting.runtime.prepare(first)
    waiting.runtime.start(waiting.spec("import sys; print('two', sys.argv); sys.exit(3)", "two"))
    assert waiting.ended("two").exit_code == 3
    assert stood_by(waiting.folder, "two") and waiting.printed("two") == "two ['-c']\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"network": False},
        {"environment": {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}},
        {"argv": ("/bin/sh", "-c", "true")},
        {"directory": "/tmp"},
        {"host_name": "algo-2"},
        {"standby": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_kind_is_started_in_the_ordinary_way(waiting: Bench, changes: dict[str, Any]) -> None:
    assert waiting.runtime.prepare(waiting.spec("pass", "kind"))
    waiting.runtime.start(replace(waiting.spec("pass", "other"), **changes))
    assert waiting.ended("other").exit_code == 0
    assert not stood_by(waiting.folder, "other")


SCRIPT = """
import multiprocessing, os, pickle, sys
from pathlib import Path
class Thing: pass
def square(number): return number * number
if __name__ == "__main__":
    assert sys.argv == ["/opt/ml/code/main.py", "--depth", "3"], sys.argv
    assert sys.path[0] == "/opt/ml/code", sys.path
    assert os.getcwd() == "/opt/ml/code" and __file__ == "/opt/ml/code/main.py"
    assert os.environ["NUMBER"] == "7" and "SERVER_SECRET" not in os.environ
    assert os.popen("echo $NUMBER").read() == "7\\n"
    assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
    import beside
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(square, [3]) == [9]
    assert Path("/opt/ml/input/data/train/a/rows.csv").read_text() == "1,2"
    assert [path.name for path in Path("/opt/ml/input").rglob("*.csv")] == ["rows.csv"]
    Path("/opt/ml/model").mkdir()
    Path("/opt/ml/model/file").write_text("kept")
    raise ValueError("as a script's own")
"""


def test_it_is_what_python_would_have_been(waiting: Bench) -> None:
    def spec(id: str, **changes: Any) -> ProcessSpec:
        made = waiting.spec("", id)
        code, data = made.ml_root / "code", waiting.folder / "inputs" / id / "train"
        for folder in (code, data / "a"):
            folder.mkdir(parents=True)
        (code / "main.py").write_text(SCRIPT)
        (code / "beside.py").touch()
        (data / "a" / "rows.csv").write_text("1,2")
        return replace(
            made,
            argv=(sys.executable, "/opt/ml/code/main.py", "--depth", "3"),
            environment={**made.environment, "NUMBER": "7", "PYTHONUNBUFFERED": "1"},
            directory="/opt/ml/code",
            mounts=(*made.mounts, Mount(data, "/opt/ml/input/data/train")),
            standby=Standby(modules=("json",), later=frozenset({"NUMBER"})),
        )

    assert waiting.runtime.prepare(spec("kind"))
    wanted = spec("job")
    waiting.runtime.start(wanted)
    ended = waiting.ended()
    assert stood_by(waiting.folder, "job")
    said = waiting.printed()
    assert (ended.exit_code, said.splitlines()[-1]) == (1, "ValueError: as a script's own"), said
    assert said.splitlines()[:2] == [
        "Traceback (most recent call last):",
        '  File "/opt/ml/code/main.py", line 20, in <module>',
    ]
    assert (wanted.ml_root / "model" / "file").read_text() == "kept"
    assert (wanted.mounts[-1].source / "a" / "rows.csv").read_text() == "1,2"


def test_one_that_was_killed_is_replaced_in_the_ordinary_way(waiting: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby_module, "DEPTH_MAX", 1)
    assert waiting.runtime.prepare(waiting.spec("pass", "kind"))
    for pid in pids_that_wait(waiting.folder):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not pids_that_wait(waiting.folder))
    waiting.runtime.start(waiting.spec("print('done')", "job"))
    assert waiting.ended().exit_code == 0 and waiting.printed() == "done\n"


def test_without_memory_to_spare_nobody_stands_by(waiting: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby_module, "FREE_BYTES_MIN", 1 << 62)
    assert not waiting.runtime.prepare(waiting.spec("pass", "kind"), seconds=0.3)
    assert pids_that_wait(waiting.folder) == []


def test_who_is_not_needed_goes(waiting: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby_module, "IDLE_SECONDS_MAX", 0.2)
    assert waiting.runtime.prepare(waiting.spec("pass", "kind"))
    until(lambda: not pids_that_wait(waiting.folder))


WORK = "print(open('/opt/ml/input/words').read()); open('/opt/ml/done', 'a').write('once')"
SERVER = """
import os, signal, sys, time
from pathlib import Path
from cloche.compute.local import LocalRuntime, standby
from cloche.compute.runtime import Mount, ProcessSpec, Standby
folder, package, target, work, dies = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
def spec():
    for made in (folder / "ml", folder / "input"):
        made.mkdir(exist_ok=True)
    (folder / "input" / "words").write_text("read")
    mounts = (Mount(package, target), Mount(folder / "input", "/opt/ml/input"))
    return ProcessSpec("job", (sys.executable, "-c", work), {"PATH": "/usr/bin"}, folder / "ml", mounts=mounts,
                       standby=Standby())
def dying(ready, document):
    if dies == "after the word":
        standby._tell(ready.ask, document)
    os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    runtime = LocalRuntime(folder / "run", "bubblewrap", standby=True)
    print(runtime.prepare(spec()), flush=True)
    if dies:
        standby.Ready.take = dying
        runtime.start(spec())
    time.sleep(60)
"""


def server_on(folder: Path, dies: str = "") -> list[str]:
    folder.mkdir()
    named = (str(folder), str(package_folder()), str(PACKAGE_ROOT / "cloche_jobs"), WORK, dies)
    return [sys.executable, "-c", SERVER, *named]


def test_none_outlives_a_server_that_is_killed(waiting: Bench) -> None:
    folder = waiting.folder / "another"
    with subprocess.Popen(server_on(folder), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdout.readline() == "True\n"
        assert pids_that_wait(folder)
        server.kill()
    until(lambda: not pids_that_wait(folder))
    LocalRuntime(folder / "run", "bubblewrap", standby=True).close()
    assert list((folder / "run" / ".standby").iterdir()) == []


@pytest.mark.parametrize("moment", ["before the word", "after the word"])
def test_a_server_killed_while_it_hands_over_loses_nothing(waiting: Bench, moment: str) -> None:
    """Either nobody has begun, and the next server begins; or it has, and is not begun again."""
    folder = waiting.folder / "another"
    died = subprocess.run(server_on(folder, moment), capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    runtime = LocalRuntime(folder / "run", "bubblewrap", standby=True)
    after = Bench(runtime, folder, "bubblewrap")
    try:
        if moment == "before the word":
            until(lambda: not [pid for pid in _all_pids() if _works_in(pid, folder / "run" / "job")])
            assert runtime.observe("job") is None
            for name in ("ml", "input"):  # whoever starts a process stages its files afresh
                shutil.rmtree(folder / name, ignore_errors=True)
                (folder / name).mkdir()
            (folder / "input" / "words").write_text("read")
        else:
            until(lambda: runtime.observe("job") is not None)
        mounts = (Mount(folder / "input", "/opt/ml/input"),)
        argv, environment = (sys.executable, "-c", WORK), {"PATH": "/usr/bin"}
        runtime.start(ProcessSpec("job", argv, environment, folder / "ml", mounts=mounts))
        assert after.ended("job").exit_code == 0 and after.printed("job") == "read\n"
        assert (folder / "ml" / "done").read_text() == "once"
        runtime.forget("job")
    finally:
        runtime.close()


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _works_in(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink() == folder and is_there(pid)
    return False


def test_any_program_of_an_image_that_is_warm_stood_by(waiting: Bench) -> None:
    def spec(id: str, *argv: str) -> ProcessSpec:
        return replace(waiting.spec("pass", id), argv=argv, standby=Standby(python=sys.executable))

    assert waiting.runtime.prepare(spec("kind", "/bin/true"))
    waiting.runtime.start(spec("shell", "/bin/sh", "-c", "echo $$ $LANG; exit 4"))
    assert waiting.ended("shell").exit_code == 4 and stood_by(waiting.folder, "shell")
    assert waiting.printed("shell").split()[1:] == ["C.UTF-8"]
    assert waiting.runtime.prepare(spec("kind", "/bin/true"))
    waiting.runtime.start(spec("none", "/usr/bin/no-such-program"))
    ended = waiting.ended("none")
    assert (ended.cause, "no-such-program" in ended.message) == ("not_started", True)
