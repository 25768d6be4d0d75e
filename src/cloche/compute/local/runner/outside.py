"""The runner itself: one process from its start to its outcome.

Only one runner ever works in a folder: the one that manages to link ``runner.json`` there. So a server that is not
sure whether it started a runner just starts another.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time

from .holding import Companion, Plain, Sandboxed, descendants
from .launching import COPY_BYTES, NotStartedError, drain, wake_pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

AFTER_DEATH_SECONDS = 5.0
DISK_LOOK_SECONDS = 2.0
PROCESSES_LOOK_SECONDS = 0.5
DISK_FREE_BYTES_MIN = 1 << 30


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
        self.message = ""
        self.companions: list[Companion] = []
        self.disk_at = time.monotonic() + DISK_LOOK_SECONDS if self.spec["disk"] else None
        self.processes_at: float | None = None
        if os.geteuid() == 0 and "RLIMIT_NPROC" in self.spec["job"]["limits"]:  # which does not hold for root
            self.processes_at = time.monotonic() + PROCESSES_LOOK_SECONDS

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.wake = wake_pipe()
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
            self._note_started(process.pid)
            self.companions = [Companion(job) for job in self.spec["companions"]]
        except NotStartedError as error:
            self._end_all(process)
            self._close(("not_started", -1, -1), str(error) or self._printed())
            return
        except OSError as error:
            self._close(("not_started", -1, -1), f"{self.spec['command'] or self.spec['job']['argv']}: {error}")
            return
        ending = self._watch(process)
        self._end_all(process)
        self._close((self.cause, *ending), self.message)

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
            if self.disk_at is not None and now >= self.disk_at:
                self._look_at_disk(now)
            if self.processes_at is not None and now >= self.processes_at:
                self._look_at_processes(now)
            if self.companions and self.cause == "exited":
                self._look_at_companions(now)
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

    def _look_at_disk(self, now: float) -> None:
        """End what fills the disk. Looking takes a twentieth of the time at most, however many files there are."""
        folder, most = self.spec["disk"]
        used, free = used_bytes(folder), free_bytes(folder)
        self.disk_at = now + max(DISK_LOOK_SECONDS, 20 * (time.monotonic() - now))
        if used > most:
            self._break_off(
                f"No space left on device: {used} bytes were written below /opt/ml, {most} are allowed", now
            )
        elif free < 0:
            self._break_off("No space left on device: the disk of this machine is all but full", now)

    def _look_at_processes(self, now: float) -> None:
        self.processes_at = now + PROCESSES_LOOK_SECONDS
        most = self.spec["job"]["limits"]["RLIMIT_NPROC"]
        if tasks_of_machine() > most and (count := len(descendants(os.getpid()))) > most + 3 + len(self.companions):
            self._break_off(f"Resource temporarily unavailable: {count} processes run, {most} are allowed", now)

    def _look_at_companions(self, now: float) -> None:
        try:
            with open("companion-failure", encoding="utf-8") as file:  # noqa: PTH123
                self._break_off(file.read(4096), now, "companion_failed")
        except FileNotFoundError:
            pass

    def _break_off(self, message: str, now: float, cause: str = "limit_reached") -> None:
        self.cause, self.message, self.kill_at = cause, message, now
        self.disk_at = self.processes_at = None

    def _pause(self, process: Sandboxed | Plain, now: float, maximum: float | None) -> None:
        times = [at for at in (self.kill_at, self.disk_at, self.processes_at) if at is not None]
        if maximum is not None and self.cause == "exited":
            times.append(self.began + maximum)
        timeout = max(0.0, min(times) - now) if times else None
        watched = [self.wake, *process.descriptors]
        if self.source is not None:
            watched.append(self.source)
        select.select(watched, [], [], timeout)
        drain(self.wake)
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
        for companion in self.companions:
            companion.kill()
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
            drain(self.wake)
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


def tasks_of_machine() -> int:
    """A quick upper bound for what any part of the machine runs; 0 where there is no /proc."""
    try:
        with open("/proc/loadavg") as file:  # noqa: PTH123
            return int(file.read().split()[3].partition("/")[2])
    except OSError:
        return 0


def used_bytes(folder: str) -> int:
    """What the files below ``folder`` occupy, each once however many names it has."""
    total, seen, waiting = 0, set(), [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif status.st_nlink == 1:
                        total += status.st_blocks * 512
                    elif status.st_ino not in seen:
                        seen.add(status.st_ino)
                        total += status.st_blocks * 512
        except OSError:
            continue  # removed meanwhile
    return total


def free_bytes(folder: str) -> int:
    """What is free on its disk, less what must stay so."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize - min(DISK_FREE_BYTES_MIN, disk.f_blocks * disk.f_frsize // 20)


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


def main() -> None:
    """``run FOLDER``, or ``init CONTROL STATUS`` in a sandbox."""
    if sys.argv[1] == "run":
        try:
            os.setsid()
        except PermissionError:
            pass  # it is the head of a session already
        Runner(sys.argv[2]).run()
    else:
        from .inside import init

        init(int(sys.argv[2]), int(sys.argv[3]))
    os._exit(0)  # nothing is left to do: whoever waits for this process need not wait for the interpreter's own end
