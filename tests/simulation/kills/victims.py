"""The processes of one server, found through its own data directory and never by name."""

from __future__ import annotations

import json
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

MARK = "CLOCHE_PROCESS="


@dataclass(frozen=True)
class Victim:
    id: str
    """Of the process, as the compute backend names it."""
    pid: int
    folder: Path


class Victims:
    """``remembered`` are the marks of all processes ever seen: what still carries one at the end is an orphan."""

    def __init__(self, data: Path) -> None:
        self.processes = data / "run" / "processes"
        self.remembered: set[str] = set()

    def runners(self, prefix: str) -> list[Victim]:
        """Runners that live, of processes whose id begins so (``training-``, ``endpoint-``)."""
        found = []
        for folder in sorted(self.processes.glob(f"{prefix}*")):
            try:
                said = json.loads((folder / "runner.json").read_text())
            except (OSError, ValueError):
                continue
            self.remembered.add(said["token"])
            if not (folder / "outcome.json").exists() and _lives(said["pid"], said["identity"]):
                found.append(Victim(folder.name, said["pid"], folder))
        return found

    def jobs(self, prefix: str) -> list[Victim]:
        """The processes that do the work: the last in each runner's line of children."""
        found = []
        for runner in self.runners(prefix):
            said = json.loads((runner.folder / "runner.json").read_text())
            if "process" not in said and not (runner.folder / "process.json").exists():
                continue
            pid, last = runner.pid, 0
            while pid:
                pid, last = next(iter(children(pid)), 0), pid
            if last != runner.pid and _mark(last) in self.remembered and b"cloche_runner" not in _command(last):
                found.append(Victim(runner.id, last, runner.folder))
        return found

    def carriers(self) -> list[int]:
        """Every process on this machine that carries a mark seen here."""
        self.runners("")
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in pids if _mark(pid) in self.remembered]


def kill(pid: int) -> bool:
    """``kill -9``, and wait until it is dead. Whether it was there."""
    try:
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return bool(select.select([descriptor], [], [], 10)[0])
        finally:
            os.close(descriptor)
    except ProcessLookupError:
        return False


def children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except OSError:
            continue
    return found


def _mark(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return "-"
    return next((word.decode()[len(MARK) :] for word in words if word.startswith(MARK.encode())), "-")


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"cloche_runner"


def _lives(pid: int, identity: str) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[0] not in (b"Z", b"X") and identity.endswith("/" + fields[19].decode())
