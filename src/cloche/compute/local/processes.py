"""Other processes, told apart for sure: a pid alone may belong to a stranger by now.

Identity is the pid with the boot and the moment the process began, as ``identity`` tells them. A signal
goes through a pidfd opened before the identity was checked, so it can reach no one else.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from cloche.compute.local.runner.outside import identity

MARK: Final = "CLOCHE_PROCESS"
"""Environment variable that everything belonging to one process carries: the token of its start."""
SWEEP_SECONDS_MAX: Final = 3.0


def is_alive(pid: int, known_as: str) -> bool:
    """Whether this very process is there and has not ended (one that waits to be reaped has)."""
    if identity(pid) != known_as:
        return False
    if not known_as:  # no /proc on this system: the pid is all there is
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def send(pid: int, known_as: str, number: signal.Signals) -> bool:
    """Signal this very process; the answer is whether it was there."""
    if not hasattr(os, "pidfd_open"):
        if not is_alive(pid, known_as):
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not is_alive(pid, known_as):
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def sweep(token: str) -> None:
    """Kill whatever carries ``token``, until nothing does. For what a killed runner left behind."""
    entry = f"{MARK}={token}".encode()
    deadline = time.monotonic() + SWEEP_SECONDS_MAX
    while time.monotonic() < deadline:
        found = [pid for pid in _pids() if _carries(pid, entry)]
        if not found:
            return
        for pid in found:
            known_as = identity(pid)
            if _carries(pid, entry):
                send(pid, known_as, signal.SIGKILL)
        time.sleep(0.01)


def _pids() -> list[int]:
    proc = Path("/proc")
    return [int(path.name) for path in proc.iterdir() if path.name.isdigit()] if proc.joinpath("self").exists() else []


def _carries(pid: int, entry: bytes) -> bool:
    try:
        if entry not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return False
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False
