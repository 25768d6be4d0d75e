"""Starting a process and being told of it: what the halves outside and inside a sandbox share."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Sequence
    from typing import Any
else:
    import _signal as signal

COPY_BYTES = 1 << 16
DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_CAPBSET_DROP = 1, 4, 36, 24
CAPABILITY_VERSION_3 = 0x20080522
_libc: list[Any] = []


class NotStartedError(Exception):
    pass


# -- both halves ---------------------------------------------------------------------------------------------


def launch(job: dict[str, Any], *, dies_with_parent: bool, privileges: bool = True) -> int:
    """Start the job's own process as the head of a session; the answer is its pid once it is really running. Without
    ``privileges`` it loses those its parent has, but for what a job with many users needs to be one of them."""
    told, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(told)
            if not privileges:
                become_user(job["user"]) if job.get("user") else drop_privileges()
            _become(job, parent if dies_with_parent else None)
        except BaseException as error:
            os.write(tell, f"{job['argv'][0]}: {error}".encode("utf-8", "replace")[:4096])
        finally:
            os._exit(127)
    os.close(tell)
    trouble = read_all(told)
    if trouble:
        os.waitpid(pid, 0)
        raise NotStartedError(trouble.decode("utf-8", "replace"))
    return pid


def _become(job: dict[str, Any], parent: int | None) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if parent is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(127)
    _be_bound(job)
    os.execvpe(job["argv"][0], job["argv"], job["environment"])  # noqa: S606 - no shell is wanted


def spawn(job: dict[str, Any]) -> int:
    """As ``launch``, by one who does nothing else any more: what binds the job, and the folder it begins in, are this
    process's, too. Nothing of it is copied for one that leaves it at once. Raises ``NotStartedError`` and
    ``OSError``."""
    _be_bound(job)
    name, argv, environment = job["argv"][0], job["argv"], job["environment"]
    folders = [""] if "/" in name else [f"{folder}/" for folder in os.get_exec_path(environment)]
    trouble: OSError | None = None
    for folder in folders:  # as execvp(3) goes through them
        try:
            return os.posix_spawn(folder + name, argv, environment, setsid=True, setsigdef=DEFAULT_SIGNALS)
        except OSError as error:
            is_absent = isinstance(error, FileNotFoundError | NotADirectoryError)
            trouble = error if trouble is None or not is_absent else trouble
    raise NotStartedError(f"{name}: {trouble}")


def _be_bound(job: dict[str, Any]) -> None:
    _go_first_when_memory_runs_out()
    _limit(job["limits"])
    os.chdir(job["directory"])


def _go_first_when_memory_runs_out() -> None:
    """The kernel ends this rather than the server; anyone may ask that of himself."""
    try:
        put("/proc/self/oom_score_adj", "800")
    except OSError:
        pass


def _limit(limits: dict[str, int]) -> None:
    import resource

    for name, value in {"RLIMIT_CORE": 0, **limits}.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        libc().prctl(option, value, 0, 0, 0)


def libc() -> Any:
    """The C library, opened once. What it answers is an ``int``; ``ctypes.get_errno`` tells more."""
    if not _libc:
        import ctypes

        _libc.append(ctypes.PyDLL(None, use_errno=True))
        _libc[0].syscall.restype = ctypes.c_long
    return _libc[0]


def become_user(user: dict[str, Any]) -> None:
    """One of the namespace's many. Root keeps what lets him be any of them, and own what is theirs; what was given him
    to print to is his, as it would be elsewhere."""
    uid, gid = user["uid"], user["gid"]
    for descriptor in (1, 2):
        os.fchown(descriptor, uid, gid)
    os.setgroups(user["groups"])
    os.setresgid(gid, gid, gid)
    drop_privileges(user["kept"])
    os.setresuid(uid, uid, uid)


def drop_privileges(kept: Sequence[int] = (), held: Iterable[int] = range(64)) -> None:
    """For good, but for those that are ``kept``: none is left that could be taken up again, by executing a program of
    root's either. ``held`` are those that could be there. Numbers: ``linux/capability.h``."""
    import ctypes

    for number in held:
        if number not in kept and libc().prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            break  # the kernel has no more
    header, mask = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), sum(1 << number for number in kept)
    if libc().capset(header, (ctypes.c_uint32 * 6)(mask, mask)) != 0:
        raise NotStartedError(f"privileges could not be dropped: {os.strerror(ctypes.get_errno())}")


def put(path: str, text: str) -> None:
    """Into a file of the kernel's, at once."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def read_sized(descriptor: int) -> bytes:
    """What ``sized`` made of some bytes; nothing where whoever writes has gone."""
    size, data = int(os.read(descriptor, 16) or b"0"), b""
    while len(data) < size:
        chunk = os.read(descriptor, size - len(data))
        if not chunk:
            return b""
        data = data + chunk if data else chunk
    return data


def sized(data: bytes) -> bytes:
    return b"%-16d" % len(data) + data


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_all(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, COPY_BYTES):
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks)


def wake_pipe() -> int:
    """A descriptor that becomes readable whenever a signal has arrived."""
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    return wake


def drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        pass


def ending(status: int) -> tuple[int, int]:
    """(exit code, signal) of a wait status; one of them is -1."""
    code = os.waitstatus_to_exitcode(status)
    return (code, -1) if code >= 0 else (-1, -code)
