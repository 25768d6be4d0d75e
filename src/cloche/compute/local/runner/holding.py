"""How the runner holds a process: behind a sandbox's front, or as a child of its own."""

from __future__ import annotations

import marshal
import os
import select

from .groups import Groups
from .launching import PR_SET_CHILD_SUBREAPER, NotStartedError, ending, launch, prctl, sized, write_all
from .measuring import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal


class Sandboxed:
    """The job behind ``command``, which sets up a namespace and runs ``inside`` in it; or in a namespace as
    ``enclosed`` describes it."""

    def __init__(self, spec: dict[str, Any], groups: Groups | None) -> None:
        job = spec["job"]
        inner, self.control = os.pipe()
        self.status, teller = os.pipe()
        self.told = b""
        self.gone = False
        if spec["enclosed"]:
            from .enclosing import forked
            from .inside import begin

            self.pid = forked(spec["enclosed"], groups, (inner, teller), lambda: begin(inner, teller))
        else:
            self.pid, job = _boxed(spec, job, groups, inner, teller)
        self.root = self.pid
        os.close(inner)
        os.close(teller)
        try:
            write_all(self.control, sized(marshal.dumps(job)))
        except BrokenPipeError:
            pass  # the namespace could not be made: ``ended`` tells
        self.descriptors = [self.status]

    @property
    def job_pid(self) -> int:
        """Of the process below which all the job's are."""
        return self.pid

    def started(self) -> None:
        """Returns once the job's own process runs. Raises ``NotStartedError``."""
        while not self.told:
            chunk = os.read(self.status, 4097)
            if not chunk:
                raise NotStartedError("")
            self.told += chunk
        if self.told[:1] == b"N":
            raise NotStartedError(self.told[1:].decode("utf-8", "replace"))
        self.told = self.told[2:]

    def assign(self, order: dict[str, Any]) -> None:
        """Tell one who stands by what to do; returns once it does. Raises ``NotStartedError``, ``OSError``."""
        write_all(self.control, sized(marshal.dumps(order)))
        self.started()

    def reaped(self, pid: int, status: int) -> None:
        """A child of the runner has ended and its pid may be a stranger's from now on."""
        self.gone = self.gone or pid == self.pid

    def ended(self) -> tuple[int, int] | None:
        gone = self.gone
        while self.descriptors and select.select([self.status], [], [], 0)[0]:
            chunk = os.read(self.status, 256)
            self.told += chunk
            if not chunk:
                self.descriptors = []
        if self.told[:1] == b"X" and self.told.endswith(b"\n"):
            code, number = self.told[1:].split()
            return int(code), int(number)
        return (-1, int(signal.SIGKILL)) if gone else None  # the namespace itself was killed

    def terminate(self) -> None:
        try:
            os.write(self.control, b"T")
        except BrokenPipeError:
            pass

    def kill(self) -> None:
        if self.gone:
            return
        try:
            os.kill(self.pid, signal.SIGKILL)  # the namespace's first process dies with it, and all others with that
        except ProcessLookupError:
            pass


def _boxed(
    spec: dict[str, Any], job: dict[str, Any], groups: Groups | None, inner: int, teller: int
) -> tuple[int, dict[str, Any]]:
    """The pid of the sandbox's front, and what process 1 is to do."""
    line = list(spec["command"])
    users = -1
    if spec["users"]:
        from .users import namespace

        users = namespace(spec["users"])
        line[1:1] = ["--userns", str(users)]
        job = {**job, "user": {**job["user"], "namespace": users}}
    os.set_inheritable(inner, True)
    os.set_inheritable(teller, True)
    pid = _spawned([*line, str(inner), str(teller)], spec["command_environment"], groups)
    if users >= 0:
        os.close(users)
    return pid, job


def _spawned(line: list[str], environment: dict[str, str], groups: Groups | None) -> int:
    """The pid of ``line``'s process, which is in ``groups`` from its first moment."""
    if groups is None:
        return os.posix_spawn(line[0], line, environment)
    pid = os.fork()
    if pid == 0:
        try:
            groups.enter()
            os.execve(line[0], line, environment)  # noqa: S606 - no shell is wanted
        except BaseException as error:
            os.write(2, f"{line[0]}: {error}".encode("utf-8", "replace"))
        finally:
            os._exit(127)
    return pid


class Plain:
    """The job as a child of this process, which also inherits whatever the job leaves behind."""

    def __init__(self, spec: dict[str, Any]) -> None:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.descriptors: list[int] = []
        self.pid = launch(spec["job"], dies_with_parent=True)
        self.root = os.getpid()
        self.known: tuple[int, int] | None = None

    @property
    def job_pid(self) -> int:
        return self.pid

    def started(self) -> None:
        pass

    def reaped(self, pid: int, status: int) -> None:
        if pid == self.pid:
            self.known = ending(status)

    def ended(self) -> tuple[int, int] | None:
        return self.known

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass
        for pid in descendants(self.root):
            if number == signal.SIGKILL or _group(pid) != self.pid:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass


class Companion:
    """A program of the server's own beside the job; see ``ProcessSpec.companions``. It may have ended long ago and been
    reaped with others, so it is killed by what names it for ever, where the system has that."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.pid = launch(job, dies_with_parent=True)
        self.broke = False
        """It has ended, and not by leaving with 0."""
        try:
            self.descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            self.descriptor = -1

    def reaped(self, pid: int, status: int) -> None:
        self.broke = self.broke or (pid == self.pid and status != 0)

    def kill(self) -> None:
        try:
            if self.descriptor >= 0:
                signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1
