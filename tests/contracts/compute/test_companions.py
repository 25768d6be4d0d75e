"""Programs beside a process: from its start to its end, outside its sandbox, and never after it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from cloche.compute.runtime import Ended, Lost

from .conftest import Bench, is_there, until

WAIT = "import time; time.sleep(60)"
REFUSE_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "


def companion(script: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", script)


def noting(path: Path, then: str) -> str:
    return f"import os; open({str(path)!r}, 'w').write(str(os.getpid())); {then}"


def pid_in(path: Path) -> int:
    return int(until(lambda: path.exists() and path.read_text(), str(path)))


def test_it_runs_beside_and_ends_with_the_process(bench: Bench, tmp_path: Path) -> None:
    note = tmp_path / "note"
    bench.start(
        "import time; print('up'); time.sleep(1)", companions=(companion(noting(note, REFUSE_TERM + "time.sleep(60)")),)
    )
    pid = pid_in(note)
    assert is_there(pid)
    assert (bench.ended().cause, bench.ended().exit_code) == ("exited", 0)
    until(lambda: not is_there(pid), "the companion's end")


def test_its_own_end_changes_nothing(bench: Bench) -> None:
    ended = bench.run("import time; time.sleep(0.5); print('done')", companions=(companion("pass"),))
    assert (ended.cause, ended.exit_code) == ("exited", 0)
    assert bench.printed() == "done\n"


def test_its_failure_ends_the_process(bench: Bench) -> None:
    script = (
        "import os; path = os.environ['CLOCHE_FAILURE']; open(path + '.part', 'w').write('no “data”'); "
        "os.rename(path + '.part', path)"
    )
    ended = bench.run(WAIT, companions=(companion(script),))
    assert (ended.cause, ended.message) == ("companion_failed", "no “data”")


def test_its_being_killed_ends_the_process(bench: Bench, tmp_path: Path) -> None:
    note = tmp_path / "note"
    bench.start(WAIT, companions=(companion(noting(note, WAIT)),))
    os.kill(pid_in(note), signal.SIGKILL)
    ended = bench.ended()
    assert (ended.cause, ended.message) == ("companion_failed", "a program that runs beside it was killed")


def test_it_does_not_outlive_a_killed_runner(bench: Bench, tmp_path: Path) -> None:
    note = tmp_path / "note"
    bench.start(WAIT, companions=(companion(noting(note, WAIT)),))
    pid = pid_in(note)
    runner = int((Path(f"/proc/{pid}/stat").read_text()).rpartition(")")[2].split()[1])
    os.kill(runner, signal.SIGKILL)
    assert isinstance(bench.lost(), Lost)
    until(lambda: not is_there(pid), "the companion's end")


def test_one_that_cannot_be_started_is_told(bench: Bench) -> None:
    bench.start(WAIT, companions=(("/usr/bin/no-such-program",),))
    ended = bench.ended()
    assert isinstance(ended, Ended)
    assert ended.cause == "not_started"
    assert "no-such-program" in ended.message


def test_one_whose_work_it_was_stops_the_process(bench: Bench) -> None:
    script = "import os; open(os.environ['CLOCHE_DONE'], 'w').close()"
    leaving = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); print('up'); "
    ended = bench.run(leaving + "time.sleep(60)", companions=(companion("import time; time.sleep(0.5); " + script),))
    assert (ended.cause, ended.exit_code) == ("companion_done", 3)
