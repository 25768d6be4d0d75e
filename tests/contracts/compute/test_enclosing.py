"""A sandbox that the runner makes by itself is bubblewrap's, to the mount."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.local import LocalRuntime
from cloche.compute.local import sandbox as box
from cloche.compute.runtime import Mount

from .conftest import Bench, until

PROBE = """
import json, os, socket, time
mounts = []
for line in open("/proc/self/mountinfo"):
    head, _, tail = line.partition(" - ")
    point, options = head.split()[4:6]
    mounts.append([point, ",".join(sorted(options.split(","))), tail.split()[0]])
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Uid", "Gid", "Groups", "NSpid")
status["NSpid"] = status["NSpid"].split()[-1]
def refused(flag):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if libc.unshare(flag) else 0
print(json.dumps({
    "mounts": sorted(mounts),
    "status": {name: status.get(name) for name in names},
    "maps": [open(f"/proc/self/{kind}_map").read().split() for kind in ("uid", "gid")],
    "setgroups": open("/proc/self/setgroups").read(),
    "host": socket.gethostname(),
    "root": {path: sorted(os.listdir(path)) for path in ("/", "/dev", "/etc", "/run", "/opt")},
    "modes": {path: oct(os.stat(path).st_mode) for path in ("/", "/dev", "/dev/shm", "/tmp", "/opt/ml", "/proc")},
    "links": {name: os.readlink(f"/dev/{name}") for name in ("stdin", "stdout", "stderr", "fd", "core", "ptmx")},
    "session": os.getsid(1),
    "networks": sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else None,
    "refused": [refused(flag) for flag in (0x10000000, 0x20000, 0x20000000)],
    "umask": oct(os.umask(0)),
    "environment": sorted(os.environ),
    "namespace": os.stat("/proc/self/ns/pid").st_ino,
}), flush=True)
while not os.path.exists("/opt/ml/seen"): time.sleep(0.01)
"""


def seen(bench: Bench, id: str, **changes: Any) -> dict[str, Any]:
    """What a process that stood by finds."""
    folder = bench.folder / "input"
    folder.mkdir(exist_ok=True)
    mounts = (Mount(folder, "/opt/ml/input"), *changes.pop("mounts", ()))
    spec = bench.start(PROBE, id, mounts=mounts, **changes)
    until(lambda: bench.printed(id).endswith("\n"), f"what {id} found")
    found: dict[str, Any] = json.loads(bench.printed(id))
    found |= of_process_1(found.pop("namespace"))
    (spec.ml_root / "seen").touch()
    assert bench.ended(id).exit_code == 0, bench.printed(id)
    return found


def of_process_1(namespace: int) -> dict[str, Any]:
    """What process 1 of that namespace has open, and where it is: none inside may look, and outside root alone."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "ns" / "pid").stat().st_ino != namespace:
                continue
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
            if status["NSpid"].split()[-1] != "1":
                continue
            links = [str(each.readlink()).partition(":")[0] for each in (process / "fd").iterdir()]
            return {"descriptors of process 1": links, "folder of process 1": str((process / "cwd").readlink())}
    assert os.geteuid(), "process 1 was not found"
    return {"descriptors of process 1": []}


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    if box.bubblewrap() is None:
        pytest.skip("bubblewrap is not there or cannot make a sandbox here: THE SANDBOX IS NOT TESTED")
    made: list[LocalRuntime] = []

    def make(name: str) -> Bench:
        (tmp_path / name).mkdir()
        made.append(LocalRuntime(tmp_path / name / "run", "bubblewrap", standby=True))
        return Bench(made[-1], tmp_path / name, "bubblewrap", stands_by=True)

    yield make
    for runtime in made:
        for id in runtime.known():
            runtime.forget(id)
        runtime.close()


@pytest.mark.parametrize("network", [True, False], ids=["the machine's network", "no network"])
def test_it_holds_what_bubblewrap_would(
    standing: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    ours = standing("ours")
    if not box.encloses(ours.folder.resolve() / "run" / ".runner"):
        pytest.skip("this kernel has not the calls, or does not allow them: THE RUNNER'S OWN SANDBOX IS NOT TESTED")
    mine = seen(ours, "job", network=network)
    monkeypatch.setattr(box, "encloses", lambda runner: False)
    theirs = seen(standing("theirs"), "job", network=network)
    more = {tuple(each) for each in mine.pop("mounts")} ^ {tuple(each) for each in theirs.pop("mounts")}
    # Bubblewrap covers those that this user could write to, the runner all of them.
    assert {point for point, *_ in more} <= {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"}, more
    assert all("ro" in options.split(",") for _, options, _ in more), more
    assert not Counter(mine.pop("descriptors of process 1")) - Counter(theirs.pop("descriptors of process 1"))
    assert mine == theirs
    assert all(mine["refused"]) and mine["status"]["CapBnd"].strip("0") == ""


def test_an_option_it_does_not_know_is_refused(tmp_path: Path) -> None:
    if box.bubblewrap() is None or not box.encloses(box.compiled_runner(tmp_path / "runner")):
        pytest.skip("this kernel has not the calls, or does not allow them: THE RUNNER'S OWN SANDBOX IS NOT TESTED")
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'runner')!r})"
    program += "; from cloche_runner.enclosing import attempt; attempt(sys.argv[1:])"
    for options, answer in (([], 0), (["--share-everything"], 1)):
        line = [sys.executable, "-I", "-S", "-c", program, *box.system(), *options]
        tried = subprocess.run(line, capture_output=True, text=True, check=False)
        assert (tried.returncode, "--share-everything" in tried.stderr) == (answer, bool(options)), tried.stderr
