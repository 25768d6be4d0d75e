"""The small program between the server and one process. Run, never imported; the standard library alone.

``runner.py run FOLDER`` starts what ``FOLDER/spec`` says, copies what it prints into ``FOLDER/output``, ends it
when its time is up or a stop is asked for, and writes ``FOLDER/outcome.json``. It is the head of a session of its
own and outlives the server. Everything it touches loads in milliseconds, which is why ``spec`` is in ``marshal``'s
form (written and read by the same interpreter), why ``json``, ``typing`` and ``signal`` (but for its C half) are not
imported, and why the server runs this file compiled (``sandbox.compiled_runner``).

Only one runner ever works in a folder: the one that manages to link ``runner.json`` there. So a server that is not
sure whether it started a runner just starts another.

``runner.py init CONTROL STATUS`` is the other half, for a sandbox: process 1 of the job's namespace. A namespace's
first process is told of no signal that it does not handle, cannot tell how its own end came about, and takes all
others with it when it ends. So this one waits there, starts the job as its child, passes SIGTERM on to all of the
namespace, and reports truly how the job ended. CONTROL and STATUS are pipes to the runner outside.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

COPY_BYTES = 1 << 16
AFTER_DEATH_SECONDS = 5.0
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class NotStartedError(Exception):
    pass


# -- both halves ---------------------------------------------------------------------------------------------


def launch(job: dict[str, Any], *, dies_with_parent: bool) -> int:
    """Start the job's own process as the head of a session; the answer is its pid once it is really running."""
    told, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(told)
            _become(job, parent if dies_with_parent else None)
        except BaseException as error:
            os.write(tell, f"{job['argv'][0]}: {error}".encode("utf-8", "replace")[:4096])
        finally:
            os._exit(127)
    os.close(tell)
    trouble = _read_all(told)
    if trouble:
        os.waitpid(pid, 0)
        raise NotStartedError(trouble.decode("utf-8", "replace"))
    return pid


def _become(job: dict[str, Any], parent: int | None) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if parent is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(127)
    _limit(job["limits"])
    os.chdir(job["directory"])
    os.execvpe(job["argv"][0], job["argv"], job["environment"])  # noqa: S606 - no shell is wanted


def _limit(limits: dict[str, int]) -> None:
    import resource

    for name, value in {"RLIMIT_CORE": 0, **limits}.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _read_all(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, COPY_BYTES):
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks)


def _wake_pipe() -> int:
    """A descriptor that becomes readable whenever a signal has arrived."""
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    return wake


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        pass


def _ending(status: int) -> tuple[int, int]:
    """(exit code, signal) of a wait status; one of them is -1."""
    code = os.waitstatus_to_exitcode(status)
    return (code, -1) if code >= 0 else (-1, -code)


# -- inside a sandbox ----------------------------------------------------------------------------------------


def init(control: int, status: int) -> None:
    """Process 1: start the job, pass on SIGTERM, tell how it ended, and take the namespace along."""
    os.set_inheritable(control, False)
    os.set_inheritable(status, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    wake = _wake_pipe()
    size = int(os.read(control, 16))
    job = bytearray()
    while len(job) < size:
        job += os.read(control, size - len(job)) or os._exit(1)
    try:
        pid = launch(marshal.loads(bytes(job)), dies_with_parent=False)  # noqa: S302 - from our own runner
    except NotStartedError as error:
        os.write(status, b"N" + str(error).encode()[:4096])
        return
    os.write(status, b"S\n")
    while True:
        ready, _, _ = select.select([wake, control], [], [])
        if control in ready:
            if not os.read(control, 1):
                return
            _signal_all()
        _drain(wake)
        while True:
            try:
                ended, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if ended == 0:
                break
            if ended == pid:
                os.write(status, "X{} {}\n".format(*_ending(code)).encode())
                return


def _signal_all() -> None:
    try:
        os.kill(-1, signal.SIGTERM)
    except ProcessLookupError:
        pass


# -- outside: how a process is held --------------------------------------------------------------------------


class Sandboxed:
    """The job behind ``command``, which sets up a namespace and runs ``init`` in it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        job = marshal.dumps(spec["job"])
        inner, self.control = os.pipe()
        self.status, teller = os.pipe()
        self.told = b""
        self.gone = False
        os.set_inheritable(inner, True)
        os.set_inheritable(teller, True)
        self.pid = os.posix_spawn(
            spec["command"][0],
            [*spec["command"], str(inner), str(teller)],
            spec["command_environment"],
        )
        os.close(inner)
        os.close(teller)
        try:
            for data in (b"%-16d" % len(job), job):
                view = memoryview(data)
                while view:
                    view = view[os.write(self.control, view) :]
        except BrokenPipeError:
            pass  # the namespace could not be made: ``ended`` tells
        self.descriptors = [self.status]

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

    def ended(self) -> tuple[int, int] | None:
        if self.descriptors and select.select([self.status], [], [], 0)[0]:
            chunk = os.read(self.status, 256)
            self.told += chunk
            if not chunk:
                self.descriptors = []
        if self.told[:1] == b"X" and self.told.endswith(b"\n"):
            code, number = self.told[1:].split()
            return int(code), int(number)
        pid, _ = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.gone = True
        return (-1, int(signal.SIGKILL))  # the namespace itself was killed

    def terminate(self) -> None:
        try:
            os.write(self.control, b"T")
        except BrokenPipeError:
            pass

    def kill(self) -> None:
        if self.gone:
            return  # the pid may be a stranger's by now
        try:
            os.kill(self.pid, signal.SIGKILL)  # the namespace's first process dies with it, and all others with that
        except ProcessLookupError:
            pass


class Plain:
    """The job as a child of this process, which also inherits whatever the job leaves behind."""

    def __init__(self, spec: dict[str, Any]) -> None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.descriptors: list[int] = []
        self.pid = launch(spec["job"], dies_with_parent=True)
        self.known: tuple[int, int] | None = None

    def started(self) -> None:
        pass

    def ended(self) -> tuple[int, int] | None:
        while self.known is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == self.pid:
                self.known = _ending(status)
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
        for pid in descendants(os.getpid()):
            if number == signal.SIGKILL or _group(pid) != self.pid:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


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


# -- outside: the runner -------------------------------------------------------------------------------------


class Runner:
    def __init__(self, folder: str) -> None:
        os.chdir(folder)
        with open("spec", "rb") as file:  # noqa: PTH123
            self.spec: dict[str, Any] = marshal.load(file)  # noqa: S302 - from our own server
        self.stop_asked = False
        self.cause = "exited"
        self.source: int | None = None
        self.kill_at: float | None = None
        self.room = int(self.spec["output_bytes_max"])

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.wake = _wake_pipe()
        if not self._claim():
            return
        os.write(1, b"+")  # whoever started this runner waits for it
        source, sink = os.pipe()
        nothing = os.open("/dev/null", os.O_RDWR)
        for standard, descriptor in enumerate((nothing, sink, sink)):
            os.dup2(descriptor, standard)
        os.close(sink)
        self.source = source
        os.set_blocking(source, False)
        self.output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.started_at = time.time()
        self.began = time.monotonic()
        self._run()

    def _claim(self) -> bool:
        mine = f"claim.{os.getpid()}"
        with open(mine, "w") as file:  # noqa: PTH123
            pid, now, token = os.getpid(), time.time(), self.spec["token"]
            file.write(f'{{"pid": {pid}, "identity": "{identity(pid)}", "claimed_at": {now!r}, "token": "{token}"}}')
        try:
            os.link(mine, "runner.json")
            claimed = True
        except FileExistsError:
            claimed = False
        for name in (mine, "spec"):  # spec holds the job's environment
            try:
                os.unlink(name)  # noqa: PTH108
            except FileNotFoundError:
                pass
        return claimed

    def _run(self) -> None:
        process: Sandboxed | Plain | None = None
        try:
            process = Sandboxed(self.spec) if self.spec["command"] else Plain(self.spec)
            process.started()
        except NotStartedError as error:
            self._end_all(process)
            self._close(("not_started", -1, -1), str(error) or self._printed())
            return
        except OSError as error:
            self._close(("not_started", -1, -1), f"{self.spec['command'] or self.spec['job']['argv']}: {error}")
            return
        self._note_started(process.pid)
        ending = self._watch(process)
        self._end_all(process)
        self._close((self.cause, *ending), "")

    def _note_started(self, pid: int) -> None:
        with open("process.part", "w") as file:  # noqa: PTH123
            file.write(f'{{"pid": {pid}, "started_at": {self.started_at!r}}}')
        os.rename("process.part", "process.json")  # noqa: PTH104
        os.dup2(0, 1)  # the runner's own ends of the output pipe
        os.dup2(0, 2)

    def _watch(self, process: Sandboxed | Plain) -> tuple[int, int]:
        maximum = self.spec["max_runtime_seconds"]
        while True:
            ending = process.ended()
            if ending is not None:
                return ending
            now = time.monotonic()
            if self.stop_asked:
                self.stop_asked = False
                self._terminate(process, "stopped", _asked_grace(self.spec["stop_grace_seconds"]), now)
            if maximum is not None and now - self.began >= maximum and self.cause == "exited":
                self._terminate(process, "max_runtime", self.spec["stop_grace_seconds"], now)
            if self.kill_at is not None and now >= self.kill_at:
                process.kill()
                self.kill_at = now + 1.0
            self._pause(process, now, maximum)

    def _terminate(self, process: Sandboxed | Plain, cause: str, grace: float, now: float) -> None:
        if self.cause == "exited":
            self.cause = cause
        kill_at = now + grace
        self.kill_at = kill_at if self.kill_at is None else min(kill_at, self.kill_at)
        process.terminate()

    def _pause(self, process: Sandboxed | Plain, now: float, maximum: float | None) -> None:
        times = [self.kill_at] if self.kill_at is not None else []
        if maximum is not None and self.cause == "exited":
            times.append(self.began + maximum)
        timeout = max(0.0, min(times) - now) if times else None
        watched = [self.wake, *process.descriptors]
        if self.source is not None:
            watched.append(self.source)
        select.select(watched, [], [], timeout)
        _drain(self.wake)
        self._copy()

    def _copy(self) -> None:
        """Move what was printed into the file; once that is full, read on and drop."""
        while self.source is not None:
            try:
                data = os.read(self.source, COPY_BYTES)
            except BlockingIOError:
                return
            if not data:
                os.close(self.source)
                self.source = None
                return
            if self.room > 0:
                self._keep(data[: self.room])
                self.room -= len(data)
                if self.room <= 0:
                    self._keep(b"\n[cloche] the log of this process is full; what follows is not kept\n")

    def _keep(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.output, view) :]
        except OSError:
            self.room = 0  # the disk is full: the process goes on, its log does not

    def _end_all(self, process: Sandboxed | Plain | None) -> None:
        """Kill what is left of the tree, and read what it still had to say."""
        deadline = time.monotonic() + AFTER_DEATH_SECONDS
        os.dup2(0, 1)
        os.dup2(0, 2)
        while process is not None:
            process.kill()
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                break
            self._copy()
            if time.monotonic() > deadline:
                break
            select.select([self.wake], [], [], 0.01)
            _drain(self.wake)
        while self.source is not None and time.monotonic() < deadline:
            select.select([self.source], [], [], deadline - time.monotonic())
            self._copy()

    def _printed(self) -> str:
        with open("output", "rb") as file:  # noqa: PTH123
            return file.read(4096).decode("utf-8", "replace").strip()

    def _close(self, ending: tuple[str, int, int], message: str) -> None:
        cause, code, number = ending
        times = f'"started_at": {self.started_at!r}, "ended_at": {time.time()!r}'
        how = f'"exit_code": {code if code >= 0 else "null"}, "signal": {number if number >= 0 else "null"}'
        os.fsync(self.output)
        with open("outcome.part", "w") as file:  # noqa: PTH123
            file.write(f'{{"cause": "{cause}", {how}, {times}, "message": {_quoted(message)}}}')
            file.flush()
            os.fsync(file.fileno())
        os.rename("outcome.part", "outcome.json")  # noqa: PTH104
        folder = os.open(".", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _on_stop(self, *_: object) -> None:
        self.stop_asked = True


def _quoted(text: str) -> str:
    if not text:
        return '""'
    import json

    return json.dumps(text)


def _asked_grace(default: float) -> float:
    try:
        with open("stop") as file:  # noqa: PTH123
            return float(file.read())
    except (OSError, ValueError):
        return default


def identity(pid: int) -> str:
    """What tells this process from any other that ever had its pid: the boot and the moment it started."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as boot, open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
            return boot.read().strip() + "/" + stat.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def main(arguments: list[str]) -> None:
    if arguments[0] == "run":
        try:
            os.setsid()
        except PermissionError:
            pass  # it is the head of a session already
        Runner(arguments[1]).run()
    else:
        init(int(arguments[1]), int(arguments[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # nothing is left to do: whoever waits for this process need not wait for the interpreter's own end
