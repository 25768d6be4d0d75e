"""A sandbox made by the kernel's own calls, around a process that was forked for it.

What bubblewrap is told on its command line is done here, option for option and in the same order: one description, and
a sandbox as tight. What is saved is the program: its start, its reading of the table of mounts after each of them, and
the start of an interpreter inside. The child of a runner has process 1's code loaded already and just goes on.

It closes every descriptor that it was not given, takes namespaces of its own, lays out a root in memory, leaves the
machine's behind, and enters a second user namespace: the first one is told to allow no more than that, and nobody
inside can tell it otherwise. An option that is unknown here is refused. Numbers: ``linux/sched.h``, ``linux/mount.h``,
``linux/prctl.h``, ``asm-generic/unistd.h``. Linux 5.12 and later.
"""

from __future__ import annotations

import ctypes
import os

from .groups import Groups
from .image import PIVOT_ROOT
from .launching import PR_SET_PDEATHSIG, NotStartedError, drop_privileges, libc, put
from .netlink import set_up
from .ready import PRIVILEGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Iterator
else:
    import _signal as signal

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
OPEN_TREE, MOVE_MOUNT, CLONE3, CLOSE_RANGE, MOUNT_SETATTR = 428, 429, 435, 436, 442
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x1000, 0x8000, 1, 4
READ_ONLY, NO_SUID, NO_DEVICES, NO_PROGRAMS = 1, 2, 4, 8
MS_REC, MS_PRIVATE, MNT_DETACH = 0x4000, 0x40000, 2
FILE_TYPE, FOLDER = 0o170000, 0o040000
PR_SET_NO_NEW_PRIVS = 38
BASE, OLD = "/tmp", "/.old"  # noqa: S108
"""Where the new root is laid before it is the root; where the machine's is then, until all is taken from it."""
COVERED = ("sys", "sysrq-trigger", "irq", "bus")
"""Below ``/proc``: the whole machine's, and a job of root's would be root to them."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "fd": "/proc/self/fd",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}
VALUES = {
    "--hostname": 1,
    "--cap-drop": 1,
    "--cap-add": 1,
    "--size": 1,
    "--tmpfs": 1,
    "--proc": 1,
    "--dev": 1,
    "--remount-ro": 1,
    "--symlink": 2,
    "--bind": 2,
    "--ro-bind": 2,
    "--ro-bind-try": 2,
}
"""Options that are followed by as many words."""
DEMANDED = frozenset(
    {
        "--unshare-user",
        "--disable-userns",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--die-with-parent",
        "--new-session",
        "--as-pid-1",
    }
)
"""What every sandbox made here is anyway."""

_libc = libc()


def forked(options: list[str], groups: Groups | None, kept: tuple[int, ...], work: Callable[[], None]) -> int:
    """The pid of a new process, which is the first of its namespace and does ``work`` in the sandbox that ``options``
    describe. It is in ``groups`` from its first moment, and has no descriptors but 0 to 2 and those ``kept``; why it
    failed, if it did, is written to 2. Raises ``OSError``."""
    steps = list(_steps(options))
    flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS
    has_network = ("--unshare-net",) in steps
    wanted = (ctypes.c_uint64 * 8)(flags | (CLONE_NEWNET if has_network else 0), 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    uid, gid = os.geteuid(), os.getegid()
    # Python has no name for a fork into namespaces, so what it does around its own fork is done by hand.
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(_libc.syscall(CLONE3, wanted, ctypes.sizeof(wanted)))
    if pid != 0:
        number = ctypes.get_errno()
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(number, f"no namespaces: {os.strerror(number)}")
        return pid
    try:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        if groups is not None:
            groups.enter()
        _close_all_but(kept)
        os.setsid()
        _enclose(steps, uid, gid)
        work()
    except BaseException as error:
        os.write(2, f"the sandbox could not be made: {error}".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _steps(options: list[str]) -> Iterator[tuple[str, ...]]:
    """Each option with the words that belong to it."""
    at = 0
    while at < len(options):
        until = at + 1 + VALUES.get(options[at], 0)
        yield tuple(options[at:until])
        at = until


def _close_all_but(kept: Iterable[int]) -> None:
    first = 3
    for descriptor in (*sorted(kept), 0xFFFFFFFF):
        if first < descriptor:
            _done(_libc.syscall(CLOSE_RANGE, first, ctypes.c_uint(descriptor - 1), 0), "descriptors stay open")
        first = descriptor + 1


def _enclose(steps: list[tuple[str, ...]], uid: int, gid: int) -> None:
    """Raises ``NotStartedError``, ``OSError``."""
    umask = os.umask(0o022)
    _be(0, uid, 0, gid)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _libc.unshare(CLONE_NEWCGROUP)  # where the kernel has them
    _done(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "no mounts of its own")
    sources = [_source_of(step) for step in steps]
    devices = [_tree(f"/dev/{name}") for name in DEVICES]
    _change_root()
    size, kept, made = "", [], {"", "/proc"}
    for (option, *words), source in zip(steps, sources, strict=True):
        if option == "--size":
            size = words[0]
        elif option == "--cap-add":
            kept.append(PRIVILEGES[words[0]])
        elif option == "--dev":
            _lay_out_devices(words[0], devices, made)
        elif source is None:
            _take(option, words, size, made)
            size = ""
        elif source >= 0:
            _bind(source, words[1], NO_SUID | NO_DEVICES | (0 if option == "--bind" else READ_ONLY), made)
    _done(_libc.unshare(CLONE_NEWUSER), "no second user namespace")
    _be(uid, 0, gid, 0)
    drop_privileges(kept)
    os.umask(umask)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _source_of(step: tuple[str, ...]) -> int | None:
    """The tree that is to be bound, ``None`` for any other step; -1 where it may lack and does."""
    return _tree(step[1], step[0].endswith("-try")) if step[0] in ("--bind", "--ro-bind", "--ro-bind-try") else None


def _change_root() -> None:
    """An empty one in memory, with a ``/proc`` that shows this namespace. What is looked up from here on leads nowhere
    else."""
    _mount("tmpfs", BASE, NO_SUID | NO_DEVICES, "mode=0755")
    os.chdir(BASE)
    os.mkdir(OLD[1:], 0o700)  # noqa: PTH102
    os.mkdir("proc", 0o755)  # noqa: PTH102
    _done(_libc.syscall(PIVOT_ROOT[os.uname().machine], b".", OLD[1:].encode()), "no root of its own")
    os.chdir("/")
    _mount("proc", "/proc", NO_SUID | NO_DEVICES | NO_PROGRAMS)  # as long as the machine's own is in sight
    put("/proc/sys/user/max_user_namespaces", "1")
    _done(_libc.umount2(OLD.encode(), MNT_DETACH), "this machine's files cannot be left")
    os.rmdir(OLD)  # noqa: PTH106


def _take(option: str, words: list[str], size: str, made: set[str]) -> None:
    if option == "--symlink":
        _make_folder(_parent(words[1]), made)
        os.symlink(words[0], words[1])  # noqa: PTH211
    elif option == "--tmpfs":
        _make_place(words[0], made)
        _mount("tmpfs", words[0], NO_SUID | NO_DEVICES, f"mode=0755{f',size={size}' if size else ''}")
    elif option == "--proc":
        _cover(words[0], made)
    elif option == "--remount-ro":
        _set(AT_FDCWD, words[0], READ_ONLY, 0)
    elif option == "--hostname":
        name = os.fsencode(words[0])
        _done(_libc.sethostname(name, len(name)), "no name of its own")
    elif option == "--unshare-net":
        set_up("lo")
    elif option not in DEMANDED and (option, words) != ("--cap-drop", ["ALL"]):
        raise NotStartedError(f"{option} is not known to the runner's sandbox")


def _cover(proc: str, made: set[str]) -> None:
    for name in COVERED:
        if os.path.exists(f"{proc}/{name}"):  # noqa: PTH110
            _bind(_tree(f"{proc}/{name}"), f"{proc}/{name}", NO_SUID | NO_DEVICES | READ_ONLY, made)


def _lay_out_devices(folder: str, devices: list[int], made: set[str]) -> None:
    _make_place(folder, made)
    _mount("tmpfs", folder, NO_SUID | NO_DEVICES, "mode=0755")
    for name, device in zip(DEVICES, devices, strict=True):
        _bind(device, f"{folder}/{name}", NO_SUID, made)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"{folder}/{name}")  # noqa: PTH211
    for name in ("shm", "pts"):
        os.mkdir(f"{folder}/{name}", 0o755)  # noqa: PTH102
    _mount("devpts", f"{folder}/pts", NO_SUID | NO_PROGRAMS, "newinstance,ptmxmode=0666,mode=620")


def _tree(path: str, may_lack: bool = False) -> int:
    """A copy of what is mounted at ``path`` and below it, private; -1 where there may be none."""
    flags = OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC
    tree = int(_libc.syscall(OPEN_TREE, AT_FDCWD, os.fsencode(path), flags))
    if tree < 0 and may_lack and ctypes.get_errno() in (2, 20):  # ENOENT, ENOTDIR
        return -1
    return _done(tree, path)


def _bind(tree: int, target: str, attributes: int, made: set[str]) -> None:
    _set(tree, "", attributes, AT_EMPTY_PATH | AT_RECURSIVE)
    if target in made or not os.path.lexists(target):
        if os.fstat(tree).st_mode & FILE_TYPE == FOLDER:
            _make_place(target, made)
        else:
            _make_folder(_parent(target), made)
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))
    moved = _libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH)
    _done(moved, target)
    os.close(tree)


def _set(folder: int, path: str, attributes: int, flags: int) -> None:
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, MS_PRIVATE, 0)
    _done(_libc.syscall(MOUNT_SETATTR, folder, os.fsencode(path), flags, wanted, 32), path or "attributes of a mount")


def _mount(kind: str, target: str, attributes: int, options: str = "") -> None:
    _done(_libc.mount(kind.encode(), os.fsencode(target), kind.encode(), attributes, options.encode()), target)


def _make_folder(path: str, made: set[str]) -> None:
    """With those above it. ``made`` are those that are known to be there."""
    if path not in made:
        _make_folder(_parent(path), made)
        try:
            os.mkdir(path, 0o755)  # noqa: PTH102
        except FileExistsError:
            pass
        made.add(path)


def _make_place(path: str, made: set[str]) -> None:
    """A folder over which something is mounted next: what was below it is out of sight."""
    if path in made:
        made.difference_update([each for each in made if each.startswith(f"{path}/")])
    _make_folder(path, made)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _be(uid: int, uid_before: int, gid: int, gid_before: int) -> None:
    """The one user and group that this process's user namespace knows."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid_before} 1"),
        ("gid_map", f"{gid} {gid_before} 1"),
    ):
        put(f"/proc/self/{name}", text)


def _prctl(option: int, value: int) -> None:
    _done(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def _done(answer: int, what: str) -> int:
    if answer < 0:
        raise NotStartedError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return answer


def attempt(options: list[str]) -> None:
    """Make such a sandbox, to see whether it can be done here. Ends the process: with 0 where it can."""
    pid = forked(options, None, (), lambda: os._exit(0))
    os._exit(0 if os.waitpid(pid, 0)[1] == 0 else 1)
