"""The control groups of one host of a process. What ``cloche.compute.local.cgroups`` has found out comes as a document.

The sandbox is in them from its first moment, the runner never: it is not what the kernel ends when memory runs out.
"""

from __future__ import annotations

import os

from .launching import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal


class Groups:
    """Raises ``OSError`` where one cannot be made."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.folders = list(document["files"])
        self.entry: str = document["entry"]
        self.share: dict[str, str] = document["share"]
        self.killed_file: str = document["killed"]
        self.holds_processes: bool = document["holds_processes"]
        for folder, files in document["files"].items():
            os.mkdir(folder, 0o755)  # noqa: PTH102
            for name, value in files.items():
                try:
                    put(f"{folder}/{name}", value)
                except FileNotFoundError:
                    pass  # a kernel without swap accounting, say

    def enter(self) -> None:
        """Put the calling process there, which has one thread."""
        for folder in self.folders:
            put(f"{folder}/{self.entry}", "0")

    def take_share(self) -> None:
        """Have the share of processors that was put off."""
        for path, value in self.share.items():
            put(path, value)

    def memory_ran_out(self) -> bool:
        """Whether the kernel ended a process for want of memory."""
        try:
            with open(self.killed_file) as file:  # noqa: PTH123
                return any(line.split()[0] == "oom_kill" and int(line.split()[1]) > 0 for line in file)
        except OSError:
            return False

    def end(self) -> bool:
        """Kill what is left in them and remove them; whether that is done."""
        self.folders = [folder for folder in self.folders if not _is_gone(folder)]
        return not self.folders


def _is_gone(folder: str) -> bool:
    try:
        os.rmdir(folder)  # noqa: PTH106
    except FileNotFoundError:
        return True
    except OSError:
        try:
            with open(f"{folder}/cgroup.procs") as file:  # noqa: PTH123
                pids = file.read().split()
            for pid in pids:
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
        return False
    return True
