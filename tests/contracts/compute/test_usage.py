"""What processes use is measured, whole trees of them."""

from __future__ import annotations

import time
from typing import Any

MIB = 1024 * 1024
IDLE = "import time; print('up'); time.sleep(60)"
FULL = "import time; held = bytearray(80 * 1024 * 1024); print('up'); time.sleep(60)"
BUSY = "print('up', flush=True)\nwhile True: pass"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"


def test_memory_is_of_the_process_that_has_it(bench: Any) -> None:
    for id, script in (("idle", IDLE), ("full", FULL)):
        bench.start(script, id)
        bench.says("up", id)
    usage = bench.runtime.usage(["idle", "full", "never-was"])
    assert set(usage) == {"idle", "full"}
    more = usage["full"].memory_bytes - usage["idle"].memory_bytes
    assert 70 * MIB < more < 120 * MIB


def test_time_is_counted_in_children_too(bench: Any) -> None:
    for id, script in (("idle", IDLE), ("busy", CHILD)):
        bench.start(script, id)
        bench.says("up", id)
    before = bench.runtime.usage(["idle", "busy"])
    end = time.monotonic() + 30
    while True:
        after = bench.runtime.usage(["idle", "busy"])
        spent = {id: after[id].cpu_seconds - before[id].cpu_seconds for id in after}
        if spent["busy"] > 0.3:
            break
        assert time.monotonic() < end, spent
        time.sleep(0.05)
    assert spent["idle"] < spent["busy"] / 2


def test_what_has_ended_uses_nothing(bench: Any) -> None:
    bench.run("pass")
    end = time.monotonic() + 10
    while bench.runtime.usage(["job"]):  # its runner writes down how it ended, then ends itself
        assert time.monotonic() < end
        time.sleep(0.01)


def test_disk_is_what_the_folder_holds(bench: Any) -> None:
    spec = bench.spec("pass")
    before = bench.runtime.disk_bytes(spec.ml_root)
    (spec.ml_root / "file").write_bytes(b"x" * MIB)
    assert MIB <= bench.runtime.disk_bytes(spec.ml_root) - before < 2 * MIB


def test_a_host_is_told_without_its_runner(bench: Any) -> None:
    bench.start(IDLE)
    bench.says("up")
    (alone,) = bench.runtime.usage_on_hosts(["job"])["job"]
    assert alone.memory_bytes > 0
    assert alone.memory_bytes < bench.runtime.usage(["job"])["job"].memory_bytes
    assert bench.runtime.usage_on_hosts(["never-was"]) == {}
