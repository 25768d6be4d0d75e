"""Threads share the C library's arenas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, threading
if sys.argv[1:]:
    from cloche.server.arenas import share_arenas
    share_arenas()
started = threading.Barrier(13)
def work():
    held = bytearray(100_000)  # too small for a mapping of its own, too large for Python's own allocator
    started.wait()
    started.wait()
for _ in range(12):
    threading.Thread(target=work, daemon=True).start()
started.wait()
starts = [line.split("-")[0] for line in open("/proc/self/maps") if len(line.split()) == 5]
print(sum(int(start, 16) % (64 << 20) == 0 for start in starts))
started.wait()
"""


def arenas(*arguments: str) -> int:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc: ARENAS ARE NOT TESTED")
def test_few_arenas() -> None:
    if arenas() < 4:
        pytest.skip("this C library has no arenas for threads: NOT TESTED")
    assert arenas("shared") <= 2
