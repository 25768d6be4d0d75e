"""What processes use, a whole tree of them each, from one walk through ``/proc``.

CPU time of children that have ended counts with the parent that waited for them (``cutime``), so a tree's time only
grows, but for what nobody waited for. Memory is what is resident now; pages that several processes share count in
each. Source of the fields: proc_pid_stat(5).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloche.compute.runtime import Usage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class _Process:
    cpu_seconds: float
    memory_bytes: int


def usage_of(roots: Mapping[str, int], proc: Path = Path("/proc")) -> dict[str, Usage]:
    """Usage of the tree below each root (a pid), under the root's name; without those that have ended."""
    processes: dict[int, _Process] = {}
    children: dict[int, list[int]] = defaultdict(list)
    try:
        names = [entry.name for entry in os.scandir(proc) if entry.name.isdigit()]
    except OSError:
        return {}
    for name in names:
        try:
            fields = (proc / name / "stat").read_bytes().rpartition(b") ")[2].split()
        except OSError:
            continue  # ended meanwhile
        children[int(fields[1])].append(int(name))
        processes[int(name)] = _Process(sum(map(int, fields[11:15])) / _TICKS, int(fields[21]) * _PAGE_BYTES)
    found: dict[str, Usage] = {}
    for name, root in roots.items():
        if root not in processes:
            continue
        tree = _below(root, children)
        cpu_seconds = sum(processes[pid].cpu_seconds for pid in tree)
        found[name] = Usage(cpu_seconds, sum(processes[pid].memory_bytes for pid in tree))
    return found


def _below(root: int, children: Mapping[int, list[int]]) -> list[int]:
    tree, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        tree.append(pid)
        waiting += children.get(pid, ())
    return tree
