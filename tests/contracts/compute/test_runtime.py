"""How processes start, end, stop, are found again and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cloche.compute.local import LocalRuntime
from cloche.compute.runtime import Ended, Limits, Lost, Mount, Running
from cloche.foundation.errors import Invalid

from .conftest import Bench, is_there, until

SLEEP = "import time; print('up'); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exit_codes_are_told(bench: Bench, code: int) -> None:
    ended = bench.run(f"raise SystemExit({code})")
    assert (ended.cause, ended.exit_code, ended.signal) == ("exited", code, None)
    assert ended.ended_at >= ended.started_at


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_death_by_a_signal_is_told_as_such(bench: Bench, number: signal.Signals) -> None:
    if bench.runtime.containers is not None:
        pytest.skip("the first process of a container gets no such signal of its own")
    ended = bench.run(f"import os; os.kill(os.getpid(), {int(number)})")
    assert (ended.cause, ended.exit_code, ended.signal) == ("exited", None, int(number))


def test_exit_139_is_not_mistaken_for_a_signal(bench: Bench) -> None:
    if bench.runtime.containers is not None:
        pytest.skip("so do containers tell of signals")
    ended = bench.run("raise SystemExit(139)")
    assert (ended.exit_code, ended.signal) == (139, None)


def test_a_program_that_is_not_there(bench: Bench) -> None:
    bench.start("", argv=("/usr/bin/no-such-program",))
    ended = bench.ended()
    assert ended.cause == "not_started"
    assert "no-such-program" in ended.message


def test_a_folder_that_is_not_there(bench: Bench) -> None:
    if bench.root is not None:
        pytest.skip("an image's folder is made where it is not there")
    bench.start("print('never')", directory="/opt/ml/nowhere")
    ended = bench.ended()
    assert ended.cause == "not_started"
    assert "nowhere" in ended.message


def test_output_is_complete_and_in_order(bench: Bench) -> None:
    last = (
        "stdout" if bench.runtime.containers is not None else "stderr"
    )  # a container's are two ways, and either is in order
    bench.run(f"import sys\nfor n in range(20000): print(n)\nprint('last without newline', end='', file=sys.{last})")
    lines = bench.printed().splitlines()
    assert lines == [*map(str, range(20000)), "last without newline"]


def test_output_is_bounded(bench: Bench) -> None:
    small = LocalRuntime(
        bench.folder / "run", bench.sandbox, output_bytes_max=1000, containers=bench.runtime.containers
    )
    small.start(bench.spec("print('x' * 100_000); print('end')"))
    assert bench.ended(runtime=small).exit_code == 0
    printed = bench.printed()
    assert printed.startswith("x" * 1000 + "\n[cloche] the log of this process is full")
    assert len(printed) < 2000
    small.close()


def test_somebody_elses_folder_is_left_as_it_is(bench: Bench) -> None:
    """Nothing is moved, nor given other rights. The output begins with the notice."""
    if not bench.runtime.capabilities.private_files:
        pytest.skip("a plain process promises nothing of the kind")
    theirs = bench.folder / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    (theirs / "file").write_text("theirs\n")
    (theirs / "file").chmod(0o604)
    status = theirs.stat()
    mount = Mount(theirs, "/opt/ml/input/data/fs", True, (status.st_dev, status.st_ino))
    read = replace(mount, target="/opt/ml/input/data/read", writable=False)
    script = (
        "print(open('/opt/ml/input/data/fs/file').read()); open('/opt/ml/input/data/fs/new', 'w')\n"
        "try: print(open('/opt/ml/input/data/read/new', 'w'))\n"
        "except OSError as error: print(error.strerror)"
    )
    assert bench.run(script, mounts=(mount, read), notice="[cloche] first").exit_code == 0, bench.printed()
    assert bench.printed().split("\n") == ["[cloche] first", "theirs", "", "Read-only file system", ""]
    now = theirs.stat()
    assert (now.st_mode, now.st_ino) == (status.st_mode, status.st_ino)
    assert (theirs / "file").stat().st_mode & 0o777 == 0o604
    assert (theirs / "new").exists()


def test_environment_is_what_was_given(bench: Bench) -> None:
    bench.run(
        "import os; print(sorted(os.environ))",
        environment={"PATH": "/usr/bin", "GIVEN": "1", "LD_PRELOAD": ""},
    )
    assert "'GIVEN'" in bench.printed()
    assert "SERVER_SECRET" not in bench.printed()


def test_the_environment_is_kept_nowhere_once_the_process_runs(bench: Bench) -> None:
    bench.start(SLEEP, environment={"PATH": "/usr/bin", "TOKEN": "very-secret-token"})
    bench.says("up")
    kept = [path for path in (bench.folder / "run" / "job").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"very-secret-token" in path.read_bytes()]


def test_stop_gives_time_to_finish(bench: Bench) -> None:
    bench.start(
        "import signal, sys, time\n"
        "def saved(*_): print('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, saved); print('up'); time.sleep(60)"
    )
    bench.says("up")
    bench.runtime.stop("job")
    ended = bench.ended()
    assert (ended.cause, ended.exit_code) == ("stopped", 0)
    assert "saved" in bench.printed()


def test_stop_without_a_handler_ends_at_once(bench: Bench) -> None:
    bench.start(SLEEP)
    bench.says("up")
    bench.runtime.stop("job", 60)
    ended = bench.ended()
    assert (ended.cause, ended.signal) == ("stopped", signal.SIGTERM)


def test_stop_ignored_ends_in_a_kill(bench: Bench) -> None:
    bench.start(STUBBORN)
    bench.says("up")
    bench.runtime.stop("job", 0.2)
    ended = bench.ended()
    assert (ended.cause, ended.signal) == ("stopped", signal.SIGKILL)
    assert ended.ended_at - ended.started_at >= 0.2


def test_a_second_stop_may_shorten_the_grace(bench: Bench) -> None:
    bench.start(STUBBORN)
    bench.says("up")
    bench.runtime.stop("job", 600)
    time.sleep(0.1)
    assert isinstance(bench.runtime.observe("job"), Running)
    bench.runtime.stop("job", 0.1)
    assert bench.ended().cause == "stopped"


def test_sigterm_reaches_the_children_too(bench: Bench) -> None:
    bench.start(
        "import os, signal, sys, time\n"
        "child = os.fork()\n"
        "name = 'parent' if child else 'child'\n"
        "def bye(*_): os.write(1, (name + ' told\\n').encode()); child and os.waitpid(child, 0); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, bye); os.write(1, (name + ' up\\n').encode())\n"
        "while True: time.sleep(1)"
    )
    bench.says("parent up")
    bench.says("child up")
    bench.runtime.stop("job", 5)
    assert bench.ended().cause == "stopped"
    assert "parent told" in bench.printed()
    assert "child told" in bench.printed()


def test_max_runtime(bench: Bench) -> None:
    bench.start(STUBBORN, max_runtime_seconds=1.5, stop_grace_seconds=0.2)  # time to become stubborn
    ended = bench.ended()
    assert (ended.cause, ended.signal) == ("max_runtime", signal.SIGKILL)


def test_stop_before_start_and_after_the_end_is_nothing(bench: Bench) -> None:
    bench.runtime.stop("job")
    bench.run("")
    bench.runtime.stop("job")
    ended = bench.ended()
    assert (ended.cause, ended.exit_code) == ("exited", 0)


def test_the_whole_tree_ends_with_its_root(bench: Bench) -> None:
    """A child, and a daemon that left session and group: both on the host must be gone at the end."""
    mark = f"orphan-{os.getpid()}-{bench.sandbox}"
    bench.start(
        "import subprocess, sys, time\n"
        f"code = 'import time; time.sleep(60) # {mark}'\n"
        "subprocess.Popen([sys.executable, '-c', code])\n"
        "subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
        "subprocess.Popen(['/bin/sh', '-c', 'setsid ' + sys.executable + ' -c \"' + code + '\" &'])\n"
        "time.sleep(0.5)"
    )
    until(lambda: len(_running(mark)) >= 3, "three processes")
    assert bench.ended().exit_code == 0
    assert _running(mark) == []


def test_the_whole_tree_ends_when_killed(bench: Bench) -> None:
    mark = f"stubborn-{os.getpid()}-{bench.sandbox}"
    bench.start(
        "import os, signal, time\n"
        f"'{mark}'\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if not os.fork(): os.setsid()\n"
        "os.write(1, b'up\\n'); time.sleep(60)"
    )
    bench.says("up\nup")
    bench.runtime.stop("job", 0)
    assert bench.ended().cause == "stopped"
    assert _running(mark) == []


def test_one_id_is_one_process(bench: Bench) -> None:
    spec = bench.spec("open('count', 'a').write('x'); import time; time.sleep(0.3)")
    threads = [threading.Thread(target=bench.runtime.start, args=(spec,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.beside().start(spec)
    bench.ended()
    bench.runtime.start(spec)
    bench.ended()
    assert (spec.ml_root / "count").read_text() == "x"


def test_a_start_cut_short_before_the_runner_is_repeated(bench: Bench) -> None:
    """The server died after it wrote the specification: the folder is there, nobody works in it."""
    (bench.folder / "run" / "job").mkdir()
    assert bench.runtime.observe("job") is None
    assert bench.run("raise SystemExit(4)").exit_code == 4


def test_a_new_server_finds_the_process(bench: Bench) -> None:
    bench.start("import time; time.sleep(0.4); raise SystemExit(5)")
    other = bench.beside()
    told = threading.Event()
    other.on_change(lambda id: told.set() if id == "job" else None)
    assert isinstance(other.observe("job"), Running)
    assert other.known() == ["job"]
    assert told.wait(10)
    assert bench.ended(runtime=other).exit_code == 5
    other.close()


def test_a_new_server_can_stop_it(bench: Bench) -> None:
    bench.start(SLEEP)
    bench.says("up")
    other = bench.beside()
    other.stop("job")
    assert bench.ended(runtime=other).cause == "stopped"
    other.close()


def test_listeners_hear_of_the_end_when_it_is_written(bench: Bench) -> None:
    seen: list[object] = []
    told = threading.Event()

    def listen(id: str) -> None:
        seen.append(bench.runtime.observe(id))
        told.set()

    bench.runtime.on_change(listen)
    bench.start("raise SystemExit(6)")
    assert told.wait(10)
    assert isinstance(seen[0], Ended)
    assert seen[0].exit_code == 6


def test_a_killed_runner_means_lost_and_no_orphan(bench: Bench) -> None:
    mark = f"lost-{os.getpid()}-{bench.sandbox}"
    bench.start(f"import os, time\n'{mark}'\nif not os.fork(): os.setsid()\nos.write(1, b'up\\n'); time.sleep(60)")
    bench.says("up\nup")
    os.kill(_runner(bench), signal.SIGKILL)
    lost = bench.lost()
    assert isinstance(lost, Lost)
    assert lost.started_at > 0
    assert _running(mark) == []
    assert isinstance(bench.runtime.observe("job"), Lost)
    bench.runtime.start(bench.spec("print('again')"))  # an id is used once
    assert isinstance(bench.runtime.observe("job"), Lost)


def test_a_stranger_with_the_runners_pid_is_left_alone(bench: Bench) -> None:
    bench.start(SLEEP)
    bench.says("up")
    os.kill(_runner(bench), signal.SIGKILL)
    bench.lost()
    pid = os.posix_spawn("/bin/sleep", ["/bin/sleep", "60"], {})
    try:
        file = bench.folder / "run" / "job" / "runner.json"
        file.write_text(file.read_text().replace(f'"pid": {_runner(bench)},', f'"pid": {pid},'))
        assert f'"pid": {pid}' in file.read_text()
        bench.runtime.stop("job", 0)
        bench.lost()
        bench.runtime.forget("job")
        assert is_there(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_forget_kills_and_removes(bench: Bench) -> None:
    mark = f"forgotten-{os.getpid()}-{bench.sandbox}"
    bench.start(f"'{mark}'\n" + STUBBORN)
    bench.says("up")
    bench.runtime.forget("job")
    assert bench.runtime.observe("job") is None
    assert bench.runtime.known() == []
    assert _running(mark) == []
    bench.runtime.forget("job")


def test_memory_limit(bench: Bench) -> None:
    if bench.runtime.containers is not None:
        ended = bench.run("x = b'x' * 1024**3", limits=Limits(memory_bytes=128 * 1024**2))
        assert ended.signal == signal.SIGKILL, "the kernel's, of what a container uses altogether"
        return
    ended = bench.run("x = bytearray(2 * 1024**3)", limits=Limits(memory_bytes=512 * 1024**2))
    assert ended.exit_code == 1
    assert "MemoryError" in bench.printed()


def test_ids_are_file_names(bench: Bench) -> None:
    for id in ("../job", "", "a/b", ".hidden", "x" * 201):
        with pytest.raises(Invalid):
            bench.runtime.observe(id)


def _runner(bench: Bench) -> int:
    pid: int = json.loads((bench.folder / "run" / "job" / "runner.json").read_text())["pid"]
    return pid


def _running(mark: str) -> list[int]:
    """Pids on the host whose command line holds ``mark``, runners and sandboxes left out."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and is_there(int(name)):
            try:
                line = Path(f"/proc/{name}/cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in line:
                found.append(int(name))
    return found
