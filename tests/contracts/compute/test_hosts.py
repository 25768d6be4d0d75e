"""One process on several hosts: names, files, and one end for all."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.local import sandbox
from cloche.compute.runtime import Ended, Host, Limits, Lost, Running
from cloche.foundation.errors import Invalid

from .conftest import Bench, is_there, until

WHO = "import os, socket, sys, time\nwho = socket.gethostname()\n"
SLEEPER = "sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)'"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def start(bench: Bench, script: str, count: int = 2, id: str = "job", **changes: Any) -> None:
    roots = [bench.folder / f"ml-{id}-{number}" for number in range(2, count + 1)]
    for root in roots:
        root.mkdir()
    more = tuple(Host(f"algo-{number}", at, ENVIRONMENT, root=bench.root) for number, at in enumerate(roots, 2))
    bench.start(WHO + script, id=id, more_hosts=more, **changes)


def pids(word: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if is_there(pid)]


def test_without_a_sandbox_there_are_none(bench: Bench) -> None:
    if bench.runtime.capabilities.several_hosts:
        pytest.skip("there is a sandbox")
    with pytest.raises(Invalid, match="several hosts"):
        start(bench, "")


def test_each_has_its_own_name_files_and_output(boxed: Bench) -> None:
    start(boxed, "open('/opt/ml/' + who, 'w').close(); print(who, sorted(os.listdir('/opt/ml')))", count=3)
    assert boxed.ended() == Ended("exited", 0, None, boxed.ended().started_at, boxed.ended().ended_at)
    for number in range(3):
        name = f"algo-{number + 1}"
        assert boxed.printed(host=number) == f"{name} ['{name}']\n"
    assert (boxed.folder / "ml-job-3" / "algo-3").exists()


MEETING = (
    "if who == 'algo-1':\n"
    "    server = socket.create_server((who, 7777))\n"
    "    print(server.accept()[0].recv(99).decode())\n"
    "else:\n"
    "    for _ in range(500):\n"
    "        try: peer = socket.create_connection(('algo-1', 7777)); break\n"
    "        except OSError: time.sleep(0.01)\n"
    "    peer.sendall(b'hello from ' + who.encode())\n"
)


@pytest.mark.parametrize("network", [True, False])
def test_they_find_each_other(boxed: Bench, network: bool) -> None:
    start(boxed, MEETING, network=network)
    assert boxed.ended().exit_code == 0, boxed.printed() + boxed.printed(host=1)
    # before it Docker itself may warn that the machine does not forward
    assert boxed.printed().splitlines()[-1] == "hello from algo-2"


@pytest.fixture(params=["each", "shared"])
def cut_off(request: pytest.FixtureRequest, boxed: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Hosts cut from the machine's network, each in one of its own or all in one."""
    if not sandbox.made_networks(shared=request.param == "shared"):
        pytest.skip(f"no networks of that kind here: {request.param}")
    monkeypatch.setattr(sandbox, "networks", lambda: request.param)
    return boxed


def test_cut_off_they_find_each_other_by_the_interface_they_are_told_of(cut_off: Bench) -> None:
    name = cut_off.runtime.interface(network=False)
    script = f"print([n for _, n in socket.if_nameindex() if n == {name!r}], flush=True)\n" + MEETING
    start(cut_off, script, network=False)
    assert cut_off.ended().exit_code == 0, cut_off.printed() + cut_off.printed(host=1)
    assert cut_off.printed() == f"[{name!r}]\nhello from algo-2\n"


def test_cut_off_neither_this_machine_nor_another_process_is_in_reach(cut_off: Bench) -> None:
    """By none of the machine's addresses; nor by those that another process's hosts have."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        listening = f"s = socket.create_server((who, {port})); print(socket.gethostbyname(who)); time.sleep(600)"
        start(cut_off, listening, id="other", network=False)
        theirs = [until(lambda at=at: cut_off.printed("other", at).strip()) for at in range(2)]
        ours = {address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        script = (
            f"for address in {[*ours, '127.0.0.1', '198.51.100.1', *theirs]}:\n"
            f"    try: socket.create_connection((address, {port}), timeout=1); print('REACHED', address)\n"
            "    except OSError: print('cut')\n"
        )
        start(cut_off, script, network=False)
        assert cut_off.ended().exit_code == 0
    for number in range(2):
        assert set(cut_off.printed(host=number).splitlines()) == {"cut"}


def test_each_may_listen_on_any_port_of_all_addresses(boxed: Bench) -> None:
    if sandbox.networks() != "each":
        pytest.skip("hosts have no networks of their own here")
    script = (
        "server = socket.create_server(('0.0.0.0', 22))\n"
        "for other in {'algo-1', 'algo-2', 'algo-3'} - {who}:\n"
        "    for _ in range(500):\n"
        "        try: peer = socket.create_connection((other, 22)); break\n"
        "        except OSError: time.sleep(0.01)\n"
        "    peer.sendall(who.encode()); peer.close()\n"
        "print(sorted(server.accept()[0].recv(99).decode() for _ in range(2)))\n"
    )
    start(boxed, script, count=3, network=False)
    assert boxed.ended().exit_code == 0, [boxed.printed(host=number) for number in range(3)]
    names = ["algo-1", "algo-2", "algo-3"]
    for number, name in enumerate(names):
        assert boxed.printed(host=number) == f"{[each for each in names if each != name]}\n"


def test_two_processes_use_the_same_port(boxed: Bench) -> None:
    script = "s = socket.create_server((who, 7788)); print('listens'); sys.stdin.read(); time.sleep(600)"
    for id in ("one", "two"):
        boxed.start(WHO + script, id=id)
    for id in ("one", "two"):
        boxed.says("listens", id)


def test_together_they_are_cut_from_the_network(boxed: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0cloche-test-{os.getpid()}")
        abstract.listen()
        script = (
            f"for family, address in ((socket.AF_INET, ('127.0.0.1', {port})), "
            f"(socket.AF_UNIX, '\\0cloche-test-{os.getpid()}')):\n"
            "    try: socket.socket(family).connect(address); print('REACHED', address)\n"
            "    except OSError as error: print(type(error).__name__)\n"
        )
        start(boxed, script, network=False)
        assert boxed.ended().exit_code == 0
        abstract.close()
    for number in range(2):
        assert boxed.printed(host=number).split() == ["ConnectionRefusedError"] * 2


def test_one_that_fails_takes_the_others_along(boxed: Bench) -> None:
    start(boxed, "sys.exit(3) if who == 'algo-2' else time.sleep(600)", count=3)
    ended = boxed.ended()
    assert (ended.cause, ended.exit_code, ended.signal, ended.host) == ("exited", 3, None, 1)


def test_one_that_ends_well_leaves_the_others_alone(boxed: Bench) -> None:
    start(boxed, "time.sleep(0.5 if who == 'algo-2' else 0); print('done')")
    assert (boxed.ended().exit_code, boxed.ended().host) == (0, 0)
    assert boxed.printed(host=1) == "done\n"


def test_killing_one_host_from_outside(boxed: Bench) -> None:
    word = f"host-{os.getpid()}-{time.time_ns()}"
    start(
        boxed,
        f"print('up')\nif who == 'algo-2': os.execv({SLEEPER}, '{word}'])\ntime.sleep(600)",
    )
    boxed.says("up", host=1)
    victim = until(lambda: pids(word))[0]
    os.kill(victim, signal.SIGKILL)
    ended = boxed.ended()
    assert (ended.cause, ended.signal, ended.host) == ("exited", 9, 1)


def test_a_stop_reaches_all_and_is_no_failure(boxed: Bench) -> None:
    script = (
        "import signal\n"
        "def end(*_): print('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    start(boxed, script)
    for number in range(2):
        boxed.says("up\n", host=number)
    boxed.runtime.stop("job", 60.0)
    assert (boxed.ended().cause, boxed.ended().exit_code) == ("stopped", 0)
    assert [boxed.printed(host=number) for number in range(2)] == ["up\nsaved\n"] * 2


def test_time_is_up_for_all(boxed: Bench) -> None:
    start(boxed, "time.sleep(600)", max_runtime_seconds=0.3, stop_grace_seconds=0.1)
    assert boxed.ended().cause == "max_runtime"


def test_a_full_disk_on_one(boxed: Bench) -> None:
    script = (
        "if who == 'algo-2': [open(f'/opt/ml/{n}', 'wb').write(os.urandom(3 << 20)) for n in range(3)]\ntime.sleep(600)"
    )
    start(boxed, script, limits=Limits(disk_bytes=8 << 20))
    assert (boxed.ended().cause, boxed.ended().host) == ("limit_reached", 1)


def test_a_new_server_finds_all_of_them(boxed: Bench) -> None:
    start(boxed, "print('up')\nwhile not os.path.exists('/opt/ml/go'): time.sleep(0.01)\nprint('went')")
    boxed.says("up", host=1)
    later = boxed.beside()
    assert isinstance(later.observe("job"), Running)
    for folder in ("ml/job", "ml-job-2"):
        (boxed.folder / folder / "go").touch()
    assert boxed.ended(runtime=later).exit_code == 0
    assert later.output("job", 1).read_text() == "up\nwent\n"
    later.close()


def test_nothing_is_left_when_the_runner_is_killed(boxed: Bench) -> None:
    word = f"left-{os.getpid()}-{time.time_ns()}"
    start(boxed, f"print('up')\nos.execv({SLEEPER}, '{word}'])")
    until(lambda: len(pids(word)) == 2)
    claim = (boxed.folder / "run" / "job" / "runner.json").read_text()
    os.kill(int(claim.partition('"pid": ')[2].partition(",")[0]), signal.SIGKILL)
    until(lambda: isinstance(boxed.runtime.observe("job"), Lost))
    until(lambda: not pids(word), "the end of what was left")


def test_a_host_that_cannot_be_made_ends_the_rest(boxed: Bench) -> None:
    boxed.start(WHO + "time.sleep(600)", more_hosts=(Host("algo-2", boxed.folder / "nowhere", ENVIRONMENT),))
    ended = boxed.ended()
    assert (ended.cause, ended.host) == ("not_started", 1)
    assert "nowhere" in ended.message
