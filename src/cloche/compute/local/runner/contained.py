"""A host that is a container: ``podman run`` or ``docker run`` is a child of the runner's, the container is not.

So the runner knows the container's first process besides: it is measured by it, and with it the whole container ends.
Podman writes its number to a file and removes what has ended; Docker is asked for it, and told to remove.
"""

from __future__ import annotations

import os
import select
import time

from .landlock import keep_to_own_sockets
from .launching import PR_SET_PDEATHSIG, NotStartedError, ending, prctl, read_all
from .measuring import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

CLONE_NEWNET = 0x40000000
NOT_STARTED = (125, 126, 127)
"""What ``run`` exits with where there was no container: podman-run(1), docs.docker.com/engine/containers/run."""
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
        self._removed = False
        self.memory_ran_out = False
        self._memory = -1
        self.pid = self._spawned({**spec["command_environment"], **self.spec["environment"]})

    def _spawned(self, environment: dict[str, str]) -> int:
        """The pid of ``run``. Where containers are its children, what it may not reach they may not."""
        line = self.spec["line"]
        if not self.spec["own_sockets"]:
            return os.posix_spawn(line[0], line, environment)
        pid = os.fork()
        if pid == 0:
            try:
                keep_to_own_sockets()
                os.execve(line[0], line, environment)  # noqa: S606 - no shell is wanted
            finally:
                os._exit(127)
        return pid

    @property
    def job_pid(self) -> int:
        return self.root

    def started(self) -> None:
        """Returns once the container runs, or has run. Raises ``NotStartedError``."""
        while not self.root:
            is_over = self.known is not None
            self.root, began = self._first_process()
            if is_over and not self.root:
                if began:
                    break
                raise NotStartedError("")
            if not self.root:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.reaped(pid, status)
                if not pid:
                    time.sleep(LOOK_SECONDS)
        os.unlink(self.spec["environment_file"])  # noqa: PTH108 - a job's keys are in it
        try:
            self._held = os.pidfd_open(self.root) if self.root else -1
        except OSError:
            pass
        if self._held < 0:
            return  # it has ended already
        self.written += _upper_of(self.root)
        self._memory = _events_of(self.root)
        self.descriptors = [self._held]
        if self.inlet:
            self._open_inlet()

    def _first_process(self) -> tuple[int, bool]:
        """Its number, 0 where there is none, and whether there ever was one."""
        if self.spec["find"]:
            return _told_of(_said_by(self.spec["find"], self.spec["environment"]))
        number = _number_in(self.spec["pid_file"])
        return number, number > 0

    def reaped(self, pid: int, status: int) -> None:
        if pid == self.pid:
            code, number = ending(status)
            self.known = (-1, code - 128) if 128 < code < 128 + signal.NSIG else (code, number)
            if self.asked and self.known == (-1, signal.SIGKILL):
                self.known = (-1, self.asked)

    def ended(self) -> tuple[int, int] | None:
        """The first process is gone before ``run`` tells; just then the container's group can still be asked."""
        if self.descriptors and select.select(self.descriptors, [], [], 0)[0]:
            self.descriptors = []
            self._look_at_memory()
        return self.known

    def _look_at_memory(self) -> None:
        try:
            events = os.pread(self._memory, 4096, 0).decode().splitlines()
        except OSError:
            return
        self.memory_ran_out = any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in events)

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
        if (self._held < 0 and self.known is None) or (self.known is not None and self.spec["find"]):
            self._remove()

    def _remove(self) -> None:
        """Once; whoever waits for the runner's children waits for it."""
        if not self._removed:
            self._removed = True
            remove(self.spec)

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


def network_of(container: dict[str, Any]) -> int:
    """A descriptor of the network that a further container holds, which is started for that; -1 where none has to.
    Raises ``NotStartedError``."""
    holder = container["network"]
    if not holder:
        return -1
    said = _said_by(holder["line"], container["environment"])
    pid, _ = _told_of(_said_by(holder["find"], container["environment"]))
    try:
        return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise NotStartedError(f"no container holds its network: {said}") from None


def remove(container: dict[str, Any]) -> None:
    """Begin to, with what holds its network."""
    line = container["remove"]
    silently = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_WRONLY, 0) for number in (1, 2)]
    os.posix_spawn(line[0], line, container["environment"], file_actions=silently)


def _told_of(text: str) -> tuple[int, bool]:
    """What ``docker inspect`` says of a container: its first process and when that began, which is the year 1 where it
    never did."""
    number, _, began = text.strip().partition(" ")
    return (int(number), not began.startswith("0001-")) if began and number.isdigit() else (0, False)


def _said_by(line: list[str], environment: dict[str, str]) -> str:
    """Both its output and its complaints."""
    told, tell = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, tell, 1), (os.POSIX_SPAWN_DUP2, tell, 2)]
    pid = os.posix_spawn(line[0], line, environment, file_actions=actions)
    os.close(tell)
    said = read_all(told)
    os.waitpid(pid, 0)
    return said.decode("utf-8", "replace")


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


def _events_of(pid: int) -> int:
    """A descriptor of what its control group tells of memory, in whichever version holds it; -1 where none does."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:  # noqa: PTH123
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return -1
    for _, names, path in lines:
        if names in ("", "memory"):
            folder = f"/sys/fs/cgroup/memory{path}" if names else f"/sys/fs/cgroup{path}"
            try:
                return os.open(f"{folder}/{'memory.oom_control' if names else 'memory.events'}", os.O_RDONLY)
            except OSError:
                continue
    return -1


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
