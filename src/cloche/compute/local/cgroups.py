"""Control groups: limits that the kernel itself holds, where this system lets us set any.

Which controllers there are, in which version, and whether folders may be made there, is found out once. Version 1 has a
tree for each controller; version 2 has one tree, in which limits can be set below a group only once no process is
left in the group itself: so the server moves to a leaf first. Where neither is to be had, what remains is looked at and
enforced from outside (``runner.outside``). All processes together are bound in memory, and each where its ``Limits``
say so.

Source: docs.kernel.org/admin-guide/cgroup-v1 and cgroup-v2.html.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cloche.compute.runtime import Limits

GROUP: Final = "cloche"
LEAF: Final = "cloche-server"
CONTROLLERS: Final = ("memory", "pids", "cpu")
SHARES: Final = {1: ("cpu.shares", "256", "64"), 2: ("cpu.weight", "25", "6")}
"""By version: the file, a process's share of processors when there is not enough for all (a quarter of the server's),
and a quarter of that, for what is made ahead."""
ENTRY: Final = {1: "tasks", 2: "cgroup.procs"}
"""By version: where a process of one thread puts itself. In version 1 there is a file for a whole process, too: the
kernel then waits until every processor has been elsewhere, which takes as long as a small job."""
END_SECONDS_MAX: Final = 3.0


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """``folders``: by controller, the folder below which a group for each process is made; empty where none may be."""

    version: int = 0
    folders: dict[str, Path] = field(default_factory=dict)
    why_not: str = ""

    def document(
        self, name: str, limits: Limits, *, yields: bool = False, prompt: bool = False
    ) -> dict[str, Any] | None:
        """What the runner needs to make a group called ``name`` in each folder; ``None`` without control groups. What
        ``yields`` gets its share of processors later. What is ``prompt`` is where the server is, or, in version 2
        where one group is for everything, has a share like the server's."""
        if not self.folders:
            return None
        files: dict[str, dict[str, str]] = {}
        for controller, folder in self.folders.items():
            if controller == "cpu" and prompt and self.version == 1:
                continue
            files.setdefault(f"{folder}/{name}", {}).update(self._files(controller, limits, prompt))
        share = {}
        if yields and "cpu" in self.folders:
            file, usual, least = SHARES[self.version]
            group = f"{self.folders['cpu']}/{name}"
            files[group][file] = least
            share = {f"{group}/{file}": usual}
        memory = f"{self.folders['memory']}/{name}" if "memory" in self.folders else ""
        return {
            "files": files,
            "entry": ENTRY[self.version],
            "share": share,
            "killed": f"{memory}/{'memory.oom_control' if self.version == 1 else 'memory.events'}" if memory else "",
            "holds_processes": "pids" in self.folders,
            "memory_bytes": _used_bytes_max(limits) or memory_bytes_of_all(),
        }

    def _files(self, controller: str, limits: Limits, prompt: bool) -> dict[str, str]:
        """Without swap of its own: what does not fit is over the limit. The share of a group nobody sets is the
        server's."""
        if controller == "memory" and (most := _used_bytes_max(limits)):
            if self.version == 1:
                return {"memory.limit_in_bytes": str(most)}
            return {"memory.max": str(most), "memory.swap.max": "0", "memory.oom.group": "1"}
        if controller == "pids" and limits.processes:
            return {"pids.max": str(limits.processes)}
        if controller == "cpu" and not prompt:
            file, usual, _ = SHARES[self.version]
            return {file: usual}
        return {}

    def remove(self, token: str) -> None:
        """End what is left in the groups of a process whose runner was killed, and remove them."""
        for folder in {path for base in self.folders.values() for path in base.glob(f"{token}-*")}:
            end_group(folder)


def _used_bytes_max(limits: Limits) -> int | None:
    return limits.resident_bytes or limits.memory_bytes


def end_group(folder: Path) -> None:
    deadline = time.monotonic() + END_SECONDS_MAX
    while folder.is_dir() and time.monotonic() < deadline:
        with suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.005)


def found(proc: Path = Path("/proc/self")) -> ControlGroups:
    """What this process may use."""
    try:
        own = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
    except OSError:
        return ControlGroups(why_not="this system has no control groups")
    first = {name: path for _, names, path in own for name in names.split(",")}
    trees: dict[str, Path] = {}
    unified: Path | None = None
    for mount in mounts:
        kind = mount[mount.index("-") + 1]
        if kind == "cgroup2" and "" in first:
            unified = _below(mount, first[""])
        elif kind == "cgroup":
            for controller in mount[-1].split(","):
                if controller in CONTROLLERS and controller in first:
                    trees[controller] = _below(mount, first[controller])
    usable = {controller: folder / GROUP for controller, folder in trees.items() if _made(folder / GROUP)}
    if usable:
        return _bounded(ControlGroups(1, usable))
    if unified is not None and (names := _delegated(unified)):
        return _bounded(ControlGroups(2, dict.fromkeys(names, unified / GROUP)))
    return ControlGroups(why_not="no group may be made in any" if trees or unified else "none is mounted")


def _bounded(groups: ControlGroups) -> ControlGroups:
    """With the bound that holds for all processes together; where it cannot be set, each has its own alone."""
    if "memory" in groups.folders:
        name = "memory.limit_in_bytes" if groups.version == 1 else "memory.max"
        with suppress(OSError):
            (groups.folders["memory"] / name).write_text(str(memory_bytes_of_all()))
    return groups


def memory_bytes_of_all() -> int:
    """An eighth of the machine's memory stays for the server and everything else."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 7 // 8


def _below(mount: list[str], path: str) -> Path:
    """Where the group ``path`` is: ``mount`` may show but a part of the tree."""
    root, target = mount[3], Path(mount[4])
    inside = path.removeprefix(root) if root != "/" else path
    return target / inside.strip("/")


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _delegated(own: Path) -> list[str]:
    """The controllers that can be had below ``own``, a group of version 2."""
    try:
        offered: list[str] = [name for name in CONTROLLERS if name in (own / "cgroup.controllers").read_text().split()]
        if not offered or not _made(own / GROUP):
            return []
        wanted = " ".join(f"+{name}" for name in offered)
        try:
            (own / "cgroup.subtree_control").write_text(wanted)
        except OSError:  # processes are in it: if they are but this one, it can go
            if not _made(own / LEAF):
                return []
            (own / LEAF / "cgroup.procs").write_text(str(os.getpid()))
            (own / "cgroup.subtree_control").write_text(wanted)
        (own / GROUP / "cgroup.subtree_control").write_text(wanted)
    except OSError:
        return []
    return offered
