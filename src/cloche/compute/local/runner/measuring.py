"""How much a process and its folder take up."""

from __future__ import annotations

import os

DISK_FREE_BYTES_MIN = 1 << 30


def tasks_of_machine() -> int:
    """A quick upper bound for what any part of the machine runs; 0 where there is no /proc."""
    try:
        with open("/proc/loadavg") as file:  # noqa: PTH123
            return int(file.read().split()[3].partition("/")[2])
    except OSError:
        return 0


def used_bytes(folder: str) -> int:
    """What the files below ``folder`` occupy, each once however many names it has."""
    total, seen, waiting = 0, set(), [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif status.st_nlink == 1:
                        total += status.st_blocks * 512
                    elif status.st_ino not in seen:
                        seen.add(status.st_ino)
                        total += status.st_blocks * 512
        except OSError:
            continue  # removed meanwhile
    return total


def free_bytes(folder: str) -> int:
    """What is free on its disk, less what must stay so."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize - min(DISK_FREE_BYTES_MIN, disk.f_blocks * disk.f_frsize // 20)


def descendants(root: int) -> list[int]:
    """All processes below ``root``, as /proc tells; nothing where there is no /proc."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():  # noqa: PTH112, PTH208 - lean
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                    parents[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    found: list[int] = []
    wave = [root]
    while wave:
        wave = [pid for pid, parent in parents.items() if parent in wave]
        found += wave
    return found
