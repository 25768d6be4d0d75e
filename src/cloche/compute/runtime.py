"""The contract of a compute backend: run a process somewhere, apart from others, and tell how it ended.

A process outlives the server that started it. So a backend keeps what it needs to find it again under the
process's id on disk, and ``observe`` answers the same after a restart of the server as before. Between the
server and the process stands a *runner* of the backend's own that waits for the process and writes down how it
ended; only when the runner itself was killed is a process ``Lost``.

What must return at once: ``start``, ``stop``, ``observe``. What may be repeated without harm: all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this backend can promise on this machine, found out when it was made."""

    private_files: bool
    """A job sees only its own folder and what was mounted for it (a mount namespace)."""
    private_network: bool
    """A job can be cut from the network."""
    ml_root_at_opt_ml: bool
    """``/opt/ml`` is the job's own folder; otherwise only environment variables name it."""
    several_hosts: bool
    """A process can run on several hosts, each with its own folder and a name by which the others find it."""
    own_roots: bool
    """A process can have an image's files as its own ``/`` (``Root``), and ``Inlet`` leads to it."""
    explanation: str
    """One plain sentence for the person who started Cloche."""


@dataclass(frozen=True, slots=True)
class Mount:
    source: Path
    target: str
    writable: bool = False
    identity: tuple[int, int] | None = None
    """Device and inode of a folder that is somebody else's: nothing about it is changed, and the process is not begun
    where another has taken its place since it was looked at."""


@dataclass(frozen=True, slots=True)
class Limits:
    memory_bytes: int | None = None
    """What each process may map, and, where the backend can hold that, what all of one host may use together."""
    resident_bytes: int | None = None
    """The latter, where it is less: what runs maps more than it uses."""
    processes: int | None = 4096
    open_files: int | None = 65_536
    file_bytes: int | None = None
    disk_bytes: int | None = None
    """Of all below one host's ``ml_root``, looked at every few seconds: beyond it the process is killed, and
    ``Ended.cause`` is ``limit_reached``. So it is with ``processes`` where the system's own limit does not hold."""


@dataclass(frozen=True, slots=True)
class Root:
    """The files of an image, which a process has as its ``/`` instead of this machine's. Nobody writes there: what the
    process writes is its own, counts as its disk and goes with it."""

    folder: Path
    in_use: Path
    """Held shared (flock) for as long as the process runs."""
    uid: int = 0
    gid: int = 0
    """Who the process is, as it sees it."""
    stop_signal: str = ""
    """``SIGQUIT``, say: what asks the process to end, instead of SIGTERM."""
    stored: str = ""
    """What the image is called in the store of whoever runs containers, where it is there instead of in ``folder``."""
    groups: tuple[int, ...] = ()
    """To which it belongs besides, where there is more than one user."""


@dataclass(frozen=True, slots=True)
class Inlet:
    """The way in to a process that listens on a port of its loopback interface: a Unix socket outside leads there. Its
    host has a network of its own then, whatever ``ProcessSpec.network`` says."""

    socket: Path
    port: int


@dataclass(frozen=True, slots=True)
class Host:
    """One of the machines a process seems to run on: a process tree with files, name and address of its own."""

    name: str
    ml_root: Path
    """The job's own folder there, on this machine; the process finds it at ``/opt/ml`` where that can be had."""
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    """Seen read-only (or writable) at ``target`` where the backend has private files; else at ``source``."""
    argv: tuple[str, ...] = ()
    """What runs there; empty: what runs on the others."""
    root: Root | None = None
    inlet: Inlet | None = None
    directory: str = ""
    """Where it begins there; empty: where it begins on the others."""
    open_folders: tuple[str, ...] = ()
    """Folders of the system that it may add files to, for itself, where the backend has private files."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A Python program that may be run by an interpreter that was started before, with ``modules`` imported. Backends
    that make nothing ahead do without."""

    modules: tuple[str, ...] = ()
    later: frozenset[str] = frozenset()
    """Environment variables that differ from one process to the next, and that no import looks at."""
    python: str = ""
    """The interpreter, where the command line names it by a name alone."""
    prefix: str = ""
    """The virtual environment the program belongs to, as seen inside, where that is not ``python``'s own."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """``id`` is unique for ever and safe as a file name: starting the same id twice starts one process."""

    id: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    ml_root: Path
    """The job's own folder, on the host; the process finds it at ``/opt/ml`` where that can be had."""
    mounts: tuple[Mount, ...] = ()
    """Seen read-only (or writable) at ``target`` where the backend has private files; else at ``source``."""
    directory: str = "/opt/ml"
    network: bool = True
    host_name: str = "algo-1"
    more_hosts: tuple[Host, ...] = ()
    """Where the same ``argv`` (or the host's own) runs besides, with the same limits. All hosts start together and
    reach each other by name, without ``network`` too. One that fails has the others stopped; the process has ended once
    all have."""
    limits: Limits = field(default_factory=Limits)
    max_runtime_seconds: float | None = None
    """After that: SIGTERM, ``stop_grace_seconds``, SIGKILL, and ``Ended.cause`` is ``max_runtime``."""
    stop_grace_seconds: float = 120.0
    prompt: bool = False
    """Somebody waits for what it answers: it has the processors as the server has them, not a job's share."""
    socket: Path | None = None
    """A Unix socket the process is to listen on; its folder is made reachable inside at the same path."""
    companions: tuple[tuple[str, ...], ...] = ()
    """Programs of the server's own, run beside the process and outside its sandbox from its start to its end. One that
    cannot go on writes why to the file that the variable ``CLOCHE_FAILURE`` names and ends: then the process is
    killed, and ``Ended.cause`` is ``companion_failed``; so it is where one is killed itself. One for whose work the
    process runs makes the file that ``CLOCHE_DONE`` names and ends: then the process is stopped, and ``Ended.cause``
    is ``companion_done``."""
    standby: Standby | None = None
    root: Root | None = None
    """Needs ``Capabilities.own_roots``; so does an ``inlet``."""
    inlet: Inlet | None = None
    open_folders: tuple[str, ...] = ()
    notice: str = ""
    """A line that the output of each host begins with."""

    @property
    def hosts(self) -> tuple[Host, ...]:
        first = Host(
            self.host_name,
            self.ml_root,
            self.environment,
            self.mounts,
            root=self.root,
            inlet=self.inlet,
            open_folders=self.open_folders,
        )
        return (first, *self.more_hosts)


@dataclass(frozen=True, slots=True)
class Running:
    started_at: float
    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    cause: Literal[
        "exited", "stopped", "max_runtime", "limit_reached", "companion_failed", "companion_done", "not_started"
    ]
    exit_code: int | None
    signal: int | None
    started_at: float
    ended_at: float
    host: int = 0
    """Whose ``exit_code`` and ``signal`` these are, counted from 0: the host that failed first, or the first."""
    message: str = ""
    """Why it could not be started or go on: for ``not_started``, ``limit_reached`` and ``companion_failed``."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The runner was killed; nobody knows how the process ended. What was left of it has been killed."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and everything it has started, its runner included."""

    cpu_seconds: float
    """Since its start, over all cores."""
    memory_bytes: int
    """Resident now."""


Observation = Running | Ended | Lost


class Runtime(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    def start(self, spec: ProcessSpec) -> None:
        """Start the process unless its id was started before. Raises ``LimitReached`` or ``Broken``."""
        ...

    def observe(self, id: str) -> Observation | None:
        """How the process is; ``None`` if it was never started (or is forgotten)."""
        ...

    def stop(self, id: str, grace_seconds: float | None = None) -> None:
        """Ask it to end: SIGTERM to all of it, SIGKILL after the grace. Returns at once; nothing if it ended."""
        ...

    def usage(self, ids: Iterable[str]) -> dict[str, Usage]:
        """What those use that run; empty where this system does not tell."""
        ...

    def usage_on_hosts(self, ids: Iterable[str]) -> dict[str, tuple[Usage, ...]]:
        """The same, apart for each host, without the runner; a host that has ended uses nothing."""
        ...

    def disk_bytes(self, folder: Path) -> int:
        """What the files below a process's folder occupy."""
        ...

    def output(self, id: str, host: int = 0) -> Path:
        """The file its standard output and error on that host go to, growing while it runs, complete once it ended."""
        ...

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Have ``listener(id)`` called, from any thread, soon after a process ended."""
        ...

    def forget(self, id: str) -> None:
        """Remove what was kept of an ended process; one that runs is killed first."""
        ...

    def interface(self, *, network: bool) -> str:
        """The name of the network interface by which several hosts of a process reach each other. ``network``: they
        are not cut from the machine's."""
        ...

    def known(self) -> list[str]:
        """Ids that have been started and not forgotten."""
        ...
