"""The runner itself: one process from its start to its outcome.

Only one runner ever works in a folder: the one that manages to link ``runner.json`` there. So a server that is not
sure whether it started a runner just starts another.
"""

from __future__ import annotations

import marshal
import os
import select
import time

from .holding import Companion
from .host import Host
from .launching import NotStartedError, drain, wake_pipe, write_all
from .measuring import descendants, free_bytes, tasks_of_machine, used_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from .network import Networks
else:
    import _signal as signal

_boot: list[str] = []
"""Its id, read once: by who forks runners for all of them."""
AFTER_DEATH_SECONDS = 5.0
DISK_LOOK_SECONDS = 2.0
PROCESSES_LOOK_SECONDS = 0.5
HOST_FAILED_GRACE_SECONDS = 10.0
"""What the others have to end in when one host has failed: what they could still save is of no use."""


class Runner:
    def __init__(self, folder: str) -> None:
        os.chdir(folder)
        self.spec: dict[str, Any] = marshal.loads(self._told())  # noqa: S302 - from our own server
        self.stop_asked = False
        self.cause = "exited"
        self.kill_at: float | None = None
        self.message = ""
        self.hosts: list[Host] = []
        self.culprit: Host | None = None
        self.companions: list[Companion] = []
        self.parent = os.getppid()
        self.images = [_held(path) for path in self.spec["in_use"]]
        self._bound()

    def _told(self) -> bytes:
        """What this is to run."""
        with open("spec", "rb") as file:  # noqa: PTH123
            return file.read()

    def _bound(self) -> None:
        """Begin to look at what ``spec`` allows and the system does not hold."""
        self.disk_at = time.monotonic() + DISK_LOOK_SECONDS if self.spec["disk_bytes"] else None
        self.processes_at: float | None = None
        hosts = self.spec["hosts"]
        is_held = all(host["container"] or (host["groups"] and host["groups"]["holds_processes"]) for host in hosts)
        if os.geteuid() == 0 and self.spec["processes"] and not is_held:  # RLIMIT_NPROC does not hold for root
            self.processes_at = time.monotonic() + PROCESSES_LOOK_SECONDS

    def _heed_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.wake = wake_pipe()

    def run(self) -> None:
        self._heed_signals()
        if not self._claim():
            return
        os.write(1, b"+")  # whoever started this runner waits for it
        self.nothing = os.open("/dev/null", os.O_RDWR)
        os.dup2(self.nothing, 0)
        room = int(self.spec["output_bytes_max"])
        self.hosts = [Host(number, spec, room) for number, spec in enumerate(self.spec["hosts"])]
        self.started_at = time.time()
        self.began = time.monotonic()
        self._run()

    def _claim(self, more: str = "") -> bool:
        """``more`` is what is known of the process already, as in ``process.json``."""
        pid, now, token = os.getpid(), time.time(), self.spec["token"]
        known = f', "process": {more}' if more else ""
        mine = f"claim.{pid}"
        _write(
            mine,
            f'{{"pid": {pid}, "identity": "{identity(pid)}", "claimed_at": {now!r}, "token": "{token}"{known}}}',
        )
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
        try:
            self._start()
        except NotStartedError as error:
            self._end_all()
            self._close(("not_started", -1, -1), str(error) or self._told_of().printed())
            return
        except OSError as error:
            self._end_all()
            self._close(("not_started", -1, -1), f"{self.spec['hosts'][0]['job']['argv'][0]}: {error}")
            return
        self._go_on()

    def _go_on(self) -> None:
        self._watch()
        self._look_at_memory()
        self._end_all()
        self._close((self.cause, *(self._told_of().ending or (-1, int(signal.SIGKILL)))), self.message)

    def _start(self) -> None:
        """Start the process on all hosts, then wait until it runs on each. Raises ``NotStartedError``, ``OSError``."""
        networks: Networks | None = None
        if self.spec["networks"]:
            from .network import Networks

            networks = Networks(self.spec["addresses"], shared=self.spec["networks"] == "shared")
        try:
            for host in self.hosts:
                if networks is not None:
                    networks.enter(host.number, host.network())
                host.begin()
        finally:
            if networks is not None:
                networks.leave()
            os.dup2(self.nothing, 1)
            os.dup2(self.nothing, 2)
        for host in self.hosts:
            assert host.process is not None
            self.culprit = host
            host.process.started()
        self.culprit = None
        self._note_started()
        self.companions = [Companion(job) for job in self.spec["companions"]]

    def _note_started(self) -> None:
        _write("process.part", self._process())
        os.rename("process.part", "process.json")  # noqa: PTH104

    def _process(self) -> str:
        pids = [host.process.job_pid for host in self.hosts if host.process is not None]
        return f'{{"pid": {pids[0]}, "pids": {pids}, "started_at": {self.started_at!r}}}'

    def _watch(self) -> None:
        """Until it has ended on every host. One that fails takes the others along."""
        maximum = self.spec["max_runtime_seconds"]
        while True:
            self._reap()
            for host in self.hosts:
                host.look()
            if all(host.ending is not None for host in self.hosts):
                return
            now = time.monotonic()
            if self.culprit is None and self.cause == "exited" and any(host.failed for host in self.hosts):
                self.culprit = next(host for host in self.hosts if host.failed)
                self._terminate("exited", HOST_FAILED_GRACE_SECONDS, now)
            if self.stop_asked:
                self.stop_asked = False
                self._terminate("stopped", _asked_grace(self.spec["stop_grace_seconds"]), now)
            if maximum is not None and now - self.began >= maximum and self._goes_on:
                self._terminate("max_runtime", self.spec["stop_grace_seconds"], now)
            if self.disk_at is not None and now >= self.disk_at:
                self._look_at_disk(now)
            if self.processes_at is not None and now >= self.processes_at:
                self._look_at_processes(now)
            if self.companions and self._goes_on:
                self._look_at_companions(now)
            if self.kill_at is not None and now >= self.kill_at:
                self._kill()
                self.kill_at = now + 1.0
            self._pause(now, maximum)

    @property
    def _goes_on(self) -> bool:
        """Whether nothing has brought its end about yet."""
        return self.cause == "exited" and self.culprit is None

    def _told_of(self) -> Host:
        """Whose ending is the process's: the host that brought it about, else the first that failed, else the first."""
        failed = (host for host in self.hosts if host.failed)
        return self.culprit or next(failed, self.hosts[0])

    def _reap(self) -> bool:
        """Whether there are children left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            for host in self.hosts:
                if host.process is not None:
                    host.process.reaped(pid, status)
            for companion in self.companions:
                companion.reaped(pid, status)

    def _terminate(self, cause: str, grace: float, now: float) -> None:
        if self._goes_on:
            self.cause = cause
        kill_at = now + grace
        self.kill_at = kill_at if self.kill_at is None else min(kill_at, self.kill_at)
        for host in self.hosts:
            if host.process is not None and host.ending is None:
                host.process.terminate()

    def _kill(self) -> None:
        for host in self.hosts:
            host.kill()

    def _look_at_disk(self, now: float) -> None:
        """End what fills the disk. Looking takes a twentieth of the time at most, however many files there are."""
        most = self.spec["disk_bytes"]
        for host in self.hosts:
            used = sum(used_bytes(folder) for folder in host.spec["written"])
            if used > most:
                text = f"No space left on device: {used} bytes were written below /opt/ml, {most} are allowed"
                self._break_off(text, now, host=host)
                return
        if free_bytes(self.hosts[0].spec["ml_root"]) < 0:
            self._break_off("No space left on device: the disk of this machine is all but full", now)
            return
        self.disk_at = now + max(DISK_LOOK_SECONDS, 20 * (time.monotonic() - now))

    def _look_at_processes(self, now: float) -> None:
        self.processes_at = now + PROCESSES_LOOK_SECONDS
        most = self.spec["processes"]
        if tasks_of_machine() <= most:
            return
        for host in self.hosts:
            count = 0 if host.process is None else len(descendants(host.process.root))
            if count > most + 3 + len(self.companions):
                text = f"Resource temporarily unavailable: {count} processes run, {most} are allowed"
                self._break_off(text, now, host=host)
                return

    def _look_at_memory(self) -> None:
        """Whether it was the kernel that ended a host: then nobody else could say why."""
        for host in self.hosts:
            if self.cause == "exited" and host.memory_ran_out:
                most = (host.spec["container"] or host.spec["groups"])["memory_bytes"]
                self.cause, self.culprit = "limit_reached", host
                self.message = f"Out of memory: {most} bytes are allowed"

    def _look_at_companions(self, now: float) -> None:
        try:
            with open("companion-failure", encoding="utf-8") as file:  # noqa: PTH123
                self._break_off(file.read(4096), now, "companion_failed")
        except FileNotFoundError:
            if os.access("companion-done", os.F_OK):
                self._terminate("companion_done", self.spec["stop_grace_seconds"], now)
            elif any(companion.broke for companion in self.companions):
                self._break_off("a program that runs beside it was killed", now, "companion_failed")

    def _break_off(self, message: str, now: float, cause: str = "limit_reached", host: Host | None = None) -> None:
        self.cause, self.message, self.kill_at, self.culprit = cause, message, now, host
        self.disk_at = self.processes_at = None

    def _pause(self, now: float, maximum: float | None) -> None:
        times = [at for at in (self.kill_at, self.disk_at, self.processes_at) if at is not None]
        if maximum is not None and self._goes_on:
            times.append(self.began + maximum)
        watched = [self.wake]
        for host in self.hosts:
            if host.ending is None and host.process is not None:
                watched += host.process.descriptors
            if host.source is not None:
                watched.append(host.source)
        select.select(watched, [], [], max(0.0, min(times) - now) if times else None)
        drain(self.wake)
        for host in self.hosts:
            host.copy()

    def _end_all(self) -> None:
        """Kill what is left of the trees, and read what they still had to say."""
        deadline = time.monotonic() + AFTER_DEATH_SECONDS
        for companion in self.companions:
            companion.kill()
        while time.monotonic() < deadline:
            self._kill()
            is_rest = self._reap()
            for host in self.hosts:
                host.copy()
                is_rest = not (host.groups is None or host.groups.end()) or is_rest
            if not is_rest:
                break
            select.select([self.wake], [], [], 0.01)
            drain(self.wake)
        while any(host.source is not None for host in self.hosts) and time.monotonic() < deadline:
            sources = [host.source for host in self.hosts if host.source is not None]
            select.select(sources, [], [], max(0.0, deadline - time.monotonic()))
            for host in self.hosts:
                host.copy()

    def _close(self, ending: tuple[str, int, int], message: str) -> None:
        cause, code, number = ending
        times = f'"started_at": {self.started_at!r}, "ended_at": {time.time()!r}'
        how = f'"exit_code": {code if code >= 0 else "null"}, "signal": {number if number >= 0 else "null"}'
        where = f'"host": {self._told_of().number}'
        # A server that is there keeps what it reads here before it tells anybody. Where none is, a power cut may come
        # before the next one looks.
        is_lasting = os.getppid() != self.parent or self.parent == 1
        text = f'{{"cause": "{cause}", {how}, {where}, {times}, "message": {_quoted(message)}}}'
        _write("outcome.part", text, [host.output for host in self.hosts] if is_lasting else None)
        os.rename("outcome.part", "outcome.json")  # noqa: PTH104
        if is_lasting:
            folder = os.open(".", os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def _on_stop(self, *_: object) -> None:
        self.stop_asked = True


def _write(path: str, text: str, lasting_with: list[int] | None = None) -> None:
    """``lasting_with`` are descriptors of what is to be on the disk with it, where it is to be there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, text.encode())
        for each in () if lasting_with is None else (*lasting_with, descriptor):
            os.fsync(each)
    finally:
        os.close(descriptor)


def _held(path: str) -> int:
    """A descriptor by which an image is known to be in use for as long as this process runs."""
    import fcntl

    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


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
        if not _boot:
            _boot.append(_read("/proc/sys/kernel/random/boot_id").decode().strip())
        return f"{_boot[0]}/{_read(f'/proc/{pid}/stat').rpartition(b')')[2].split()[19].decode()}"
    except OSError:
        return ""


def _read(path: str) -> bytes:
    """The beginning of a file of the kernel's; much less than ``open`` does goes into it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def begin(what: str, folder: str) -> None:
    """Be the runner of ``folder``: ``run``, or ``stand-by``."""
    try:
        os.setsid()
    except PermissionError:
        pass  # it is the head of a session already
    if what == "run":
        Runner(folder).run()
    else:
        from .standing_by import StandingBy

        StandingBy(folder).run()
