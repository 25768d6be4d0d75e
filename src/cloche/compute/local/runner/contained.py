"""A host that is a container: ``podman run`` is a child of the runner's, the container is not.

So the runner knows the container's first process besides: it is measured by it, and with it the whole container ends.
"""

from __future__ import annotations

import os
import time

from .launching import PR_SET_PDEATHSIG, NotStartedError, ending, prctl
from .measuring import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

CLONE_NEWNET = 0x40000000
NOT_STARTED = (125, 126, 127)
"""What ``podman run`` exits with where there was no container: podman-run(1)."""
LOOK_SECONDS = 0.01


class Contained:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec["container"]
        self.written: list[str] = spec["written"]
        self.inlet = spec["job"]["inlet"]
        self.stop_signal: int = spec["job"]["stop_signal"]
        self.program: str = spec["job"]["argv"][0]
        self.descriptors: list[int] = []
        self.known: tuple[int, int] | None = None
        self.asked = 0
        self.root = 0
        """The container's first process, as this machine knows it."""
        self._held = self._passing = -1
        line = self.spec["line"]
        self.pid = os.posix_spawn(line[0], line, {**spec["command_environment"], **self.spec["environment"]})

    @property
    def job_pid(self) -> int:
        return self.root

    def started(self) -> None:
        """Returns once the container runs, or has run. Raises ``NotStartedError``."""
        while not self.root:
            self.root = _number_in(self.spec["pid_file"])
            if not self.root and self.known is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.reaped(pid, status)
                if not pid:
                    time.sleep(LOOK_SECONDS)
            elif not self.root:
                self.root = _number_in(self.spec["pid_file"])
                if self.root:
                    break
                raise NotStartedError("")
        os.unlink(self.spec["environment_file"])  # noqa: PTH108 - a job's keys are in it
        try:
            self._held = os.pidfd_open(self.root)
        except OSError:
            return  # it has ended already
        self.written += _upper_of(self.root)
        if self.inlet:
            self._open_inlet()

    def reaped(self, pid: int, status: int) -> None:
        if pid == self.pid:
            code, number = ending(status)
            self.known = (-1, code - 128) if 128 < code < 128 + signal.NSIG else (code, number)
            if self.asked and self.known == (-1, signal.SIGKILL):
                self.known = (-1, self.asked)

    def ended(self) -> tuple[int, int] | None:
        return self.known

    def terminate(self) -> None:
        """Ask all of it, as it may have no first process that passes signals on. The kernel keeps a signal that would
        end a container's first process from it unless that handles it: then it is ended as it would be elsewhere."""
        if self._held >= 0 and _takes_default(self.root, self.stop_signal):
            self.asked = self.stop_signal
            self.kill()
            return
        for pid in (self.root, *descendants(self.root)) if self._held >= 0 else ():
            try:
                os.kill(pid, self.stop_signal)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        self._passed_on_no_more()
        if self._held >= 0:
            try:
                signal.pidfd_send_signal(self._held, signal.SIGKILL)  # all others in there die with it
            except ProcessLookupError:
                pass
        elif self.known is None:
            line = self.spec["remove"]
            os.waitpid(os.posix_spawn(line[0], line, self.spec["environment"]), 0)

    def _passed_on_no_more(self) -> None:
        if self._passing > 0:
            try:
                os.kill(self._passing, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _open_inlet(self) -> None:
        """Bytes are passed on by a process that stands in the container's network."""
        import ctypes

        from .inlet import listener_at, pass_on

        path, port = self.inlet
        listener = listener_at(path)
        self._passing = os.fork()
        if self._passing:
            listener.close()
            return
        try:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            there = os.open(f"/proc/{self.root}/ns/net", os.O_RDONLY)
            if ctypes.CDLL(None).setns(there, CLONE_NEWNET) == 0:
                os.close(there)
                pass_on(listener, port)
        finally:
            os._exit(1)


def _takes_default(pid: int, number: int) -> bool:
    """Whether a process neither handles nor ignores a signal (proc_pid_status(5))."""
    try:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
            masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigIgn:", "SigCgt:"))]
    except OSError:
        return False
    return not any(mask >> (number - 1) & 1 for mask in masks)


def _number_in(path: str) -> int:
    try:
        with open(path) as file:  # noqa: PTH123
            return int(file.read() or 0)
    except (OSError, ValueError):
        return 0


def _upper_of(pid: int) -> list[str]:
    """Where what the container writes lies: the upper half of the overlay that is its root (overlayfs.rst)."""
    try:
        with open(f"/proc/{pid}/mountinfo") as file:  # noqa: PTH123
            for line in file:
                fields = line.split()
                if fields[4] == "/" and "upperdir=" in fields[-1]:
                    return [fields[-1].partition("upperdir=")[2].partition(",")[0]]
    except OSError:
        pass
    return []
