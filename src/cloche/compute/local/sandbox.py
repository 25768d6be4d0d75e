"""What a job sees of the machine, as a bubblewrap command line; and whether bubblewrap works here.

Everything is absent unless it is named: system folders and the interpreter read-only, a handful of made files in
``/etc``, the job's own folder at ``/opt/ml``, and what its ``ProcessSpec`` mounts. The job's environment does not
travel on this command line, where every user of the machine could read it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from cloche.compute.runtime import Host, Mount, ProcessSpec

RUNNER_INSIDE = "/run/cloche"
_RUNNER = Path(__file__).with_name("runner")
_RUNNER_NAME = "cloche_runner"
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
ETC_KEPT = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki",
    "resolv.conf",
    "ssl",
)
SCRATCH = ("/tmp", "/var/tmp", "/root", "/dev/shm")  # noqa: S108
"""Where a job may write beside its own folder: in memory, each up to ``scratch_bytes``."""
APART = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
USERS = (("--unshare-user", "--disable-userns"), ("--unshare-user-try",))
"""Best first. A user namespace within the job's would give it privileges over namespaces of its own, and with
them much more of the kernel to attack; bubblewrap before 0.8 cannot forbid them."""
PROC = ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--ro-bind-try", "/proc/fs", "/proc/fs")
"""A job of root's is root to the kernel's own settings, privileges or none: without this it could write them."""


@cache
def scratch_bytes() -> int:
    """A sixteenth of the machine's memory: all of one job's scratch folders are a quarter at most."""
    return max(64 << 20, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16)


@cache
def bubblewrap() -> str | None:
    """Path of a bubblewrap that really works on this machine, tried once."""
    return shutil.which("bwrap") if users() is not None else None


@cache
def users() -> tuple[str, ...] | None:
    """The best of ``USERS`` that works here; ``None`` without a bubblewrap that works."""
    path = shutil.which("bwrap")
    for options in USERS if path is not None else ():
        trial = [str(path), *system(), *options, *APART, "--hostname", "algo-1", *PROC, "--dev", "/dev"]
        with suppress(OSError, subprocess.TimeoutExpired):
            line = [*trial, "--tmpfs", "/tmp", "--cap-drop", "ALL", "/bin/true"]  # noqa: S108
            if subprocess.run(line, capture_output=True, timeout=10, check=False).returncode == 0:
                return options
    return None


@cache
def interpreter() -> Path:
    """The interpreter that runs the runner: the one below any virtual environment, which starts fastest."""
    base = Path(getattr(sys, "_base_executable", "") or sys.executable)
    return base.resolve() if base.exists() else Path(sys.executable)


def compiled_runner(folder: Path) -> Path:
    """A compiled copy of the package ``runner`` below ``folder``: compiling it anew would take longer than all it does
    at a start. What is there already, compiled from the same source, stays: the disk may be full."""
    for source in sorted(_RUNNER.glob("*.py")):
        target = folder / _RUNNER_NAME / f"{source.stem}.pyc"
        if not _is_compiled(source, target):
            py_compile.compile(
                str(source),
                str(target),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
    return folder


def _is_compiled(source: Path, target: Path) -> bool:
    """Whether ``target`` is of this source and this interpreter: PEP 552 has both in a file's first sixteen bytes."""
    try:
        with target.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    made = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source.read_bytes())
    return head == made


def runner_command(folder: Path | str, part: Literal["nursery", "inside"]) -> list[str]:
    """The command line, up to its arguments, that runs a part of the copy in ``folder``: isolated, without site
    packages."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); from {_RUNNER_NAME}.{part} import main; main()"
    return [str(interpreter()), "-I", "-S", "-c", program]


def make_etc(folder: Path) -> None:
    """The files of ``/etc`` that are the same for every job."""
    folder.mkdir(parents=True, exist_ok=True)
    uid, gid = os.getuid(), os.getgid()
    users = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"]
    groups = ["root:x:0:", "nogroup:x:65534:"]
    if uid:
        users.append(f"sagemaker:x:{uid}:{gid}::/tmp:/bin/sh")
        groups.append(f"sagemaker:x:{gid}:")
    contents = {
        "passwd": "\n".join(users),
        "group": "\n".join(groups),
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns",
    }
    for name, text in contents.items():
        file = folder / name
        if file.exists() and file.read_text() == text + "\n":
            continue  # a server starts on a full disk, too
        part = folder / f".{name}.{os.getpid()}"
        part.write_text(text + "\n")
        part.replace(file)


def meet_apart(spec: ProcessSpec) -> bool:
    """Whether its hosts are in networks that its runner makes for them: several, cut from the machine's."""
    return bool(spec.more_hosts) and not spec.network


@cache
def networks() -> Literal["each", "shared"] | None:
    """Whether every host can have a network of its own, or all of a process one together; tried once."""
    for shared in (False, True):
        if made_networks(shared=shared):
            return "shared" if shared else "each"
    return None


def made_networks(*, shared: bool) -> bool:
    """Does it work?"""
    return attempted("network", f"shared={shared}")


def attempted(part: str, given: str) -> bool:
    """Whether what a part of the runner does can be done here; tried in a process of its own."""
    program = f"import sys; sys.path.insert(0, {str(_RUNNER.parent)!r}); from runner.{part} import attempt"
    line = [str(interpreter()), "-I", "-S", "-c", f"{program}; attempt({given})"]
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(line, capture_output=True, timeout=10, check=False).returncode == 0
    return False


def addresses(spec: ProcessSpec) -> list[str]:
    """Of each host. In a network of the process's own they are private ones. Otherwise each has a loopback address, so
    that what one listens on is not in another's way, nor in another job's: all share the machine's loopback."""
    digest = hashlib.sha256(spec.id.encode()).digest()
    network = f"{10 if meet_apart(spec) else 127}.{digest[0] % 254 + 1}.{digest[1]}"
    return [f"{network}.{number}" for number in range(1, len(spec.hosts) + 1)]


def hosts_file(spec: ProcessSpec) -> str:
    """``/etc/hosts`` on all of a process's hosts."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    named = zip(addresses(spec), spec.hosts, strict=True)
    return "\n".join([*lines, *(f"{address} {host.name}" for address, host in named)]) + "\n"


def command(bwrap: str, options: list[str]) -> list[str]:
    """The command line up to ``init``'s descriptors."""
    return [bwrap, *options, *runner_command(RUNNER_INSIDE, "inside")]


def options(
    spec: ProcessSpec, host: Host, runner: Path, etc: Path, hosts: Path, *, stands_by: bool = False
) -> list[str]:
    """The sandbox, as bubblewrap's options. ``hosts`` becomes ``/etc/hosts``. Process 1 of one that ``stands_by``
    keeps, within its own namespace, what it takes to bind folders and to drop the rest."""
    line = [*system(), *(users() or ()), *APART, "--hostname", host.name, "--die-with-parent", "--new-session"]
    line += ["--as-pid-1", "--cap-drop", "ALL"]
    if stands_by:
        line += ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP"]
    if not spec.network and not spec.more_hosts:  # several are in those that their runner makes
        line.append("--unshare-net")
    line += [*PROC, "--dev", "/dev"]
    for scratch in SCRATCH:
        line += ["--size", str(scratch_bytes()), "--tmpfs", scratch]
    line += [*_etc(etc), "--ro-bind", str(hosts), "/etc/hosts"]
    for prefix in software((host.argv or spec.argv or ("",))[0], host.environment):
        line += ["--ro-bind", str(prefix), str(prefix)]
    line += ["--ro-bind", str(runner), RUNNER_INSIDE]
    line += ["--bind", os.path.abspath(host.ml_root), "/opt/ml"]  # noqa: PTH100
    lacking, opened = _lacking(host.mounts), [Path(each).resolve() for each in host.open_folders]
    for folder in dict.fromkeys([*lacking, *opened]):
        line += _of_links(folder)
    for mount in sorted(host.mounts, key=lambda mount: mount.target.count("/")):
        line += bind(mount)
    for folder in lacking:
        line += [] if folder in opened else ["--remount-ro", str(folder)]
    if spec.socket is not None:
        line += bind(Mount(spec.socket.parent, str(spec.socket.parent), writable=True))
    return [*line, "--remount-ro", "/dev", "--remount-ro", "/"]


@cache
def encloses(runner: Path) -> bool:
    """Whether ``runner`` can make a sandbox without bubblewrap (``runner/enclosing``); tried once."""
    if users() != USERS[0]:
        return False
    trial = [*system(), *USERS[0], *APART, "--hostname", "algo-1", "--unshare-net", *PROC, "--dev", "/dev"]
    program = f"import sys; sys.path.insert(0, {str(runner)!r}); from {_RUNNER_NAME}.enclosing import attempt"
    line = [str(interpreter()), "-I", "-S", "-c", f"{program}; attempt(sys.argv[1:])", *trial]
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(line, capture_output=True, timeout=10, check=False).returncode == 0
    return False


def _lacking(mounts: Iterable[Mount]) -> list[Path]:
    """The system's folders, read-only in a sandbox, that have no place for what is to be mounted there."""
    targets = (Path(mount.target) for mount in mounts if mount.target.startswith(SYSTEM_FOLDERS))
    folders = (target.parent.resolve() for target in targets if not target.exists())
    within = (each for each in folders if any(each.is_relative_to(system) for system in SYSTEM_FOLDERS))
    return list(dict.fromkeys(within))


def _of_links(folder: Path) -> list[str]:
    """In its place one with links to all that it has, and room for more."""
    there = f"/run/behind{folder}"
    line = ["--ro-bind", str(folder), there, "--size", str(scratch_bytes()), "--tmpfs", str(folder)]
    for name in sorted(each.name for each in folder.iterdir()):
        line += ["--symlink", f"{there}/{name}", f"{folder}/{name}"]
    return line


def bind(mount: Mount) -> list[str]:
    source = mount.source if mount.source.is_absolute() else mount.source.absolute()
    return ["--bind" if mount.writable else "--ro-bind", str(source), mount.target]


@cache
def system() -> list[str]:
    line: list[str] = []
    for folder in SYSTEM_FOLDERS:
        path = Path(folder)
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            line += ["--ro-bind", folder, folder]
    return line


@cache
def _etc(etc: Path) -> list[str]:
    line: list[str] = []
    for path in sorted(etc.iterdir()):
        if not path.name.startswith("."):
            line += ["--ro-bind", str(path), f"/etc/{path.name}"]
    for name in ETC_KEPT:
        if Path("/etc", name).exists():
            line += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return line


def software(program: str, environment: Mapping[str, str]) -> list[Path]:
    """Folders the job's interpreter and the runner's need, beyond the system's own."""
    named = (program, f"{environment.get('VIRTUAL_ENV') or '/nowhere'}/bin/python")
    return _software(tuple(each for each in named if each.startswith("/") and os.path.exists(each)))  # noqa: PTH110


@lru_cache(maxsize=256)
def _software(programs: tuple[str, ...]) -> list[Path]:
    found = dict.fromkeys(_prefixes(interpreter()))
    for program in programs:
        found.update(dict.fromkeys(_prefixes(Path(program))))
    kept: list[Path] = []
    for path in sorted(found, key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(other) for other in (*map(Path, SYSTEM_FOLDERS), *kept)):
            kept.append(path)
    return kept


def _prefixes(python: Path) -> list[Path]:
    """The folders an interpreter lives in: its virtual environment, and what that was made from, by each name."""
    found = [python.parent.parent] if _is_prefix(python.parent.parent) else []
    configuration = python.parent.parent / "pyvenv.cfg"
    if configuration.is_file():
        found.append(configuration.parent)
        for line in configuration.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home" and _is_prefix(Path(value.strip()).parent):
                found.append(Path(value.strip()).parent)
    while python.is_symlink():
        python = python.parent / python.readlink()
        if _is_prefix(python.parent.parent):
            found.append(python.parent.parent)
    if _is_prefix(python.resolve().parent.parent):
        found.append(python.resolve().parent.parent)
    return [Path(os.path.normpath(path)) for path in found]


def _is_prefix(path: Path) -> bool:
    return len(path.parts) > 1 and next((path / "lib").glob("python3*"), None) is not None
