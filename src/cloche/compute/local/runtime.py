"""The local backend: a folder and a runner for each process. See ``runner`` for how the two halves agree.

Below ``run_dir/<id>``: ``spec`` (until the runner has read it), ``runner.json`` (who has claimed the folder, and the
process, if it stood by), ``process.json`` (since when it runs, otherwise), ``output`` (``output-1`` of its second host,
and so on), ``stop`` (the grace of the last stop asked for) and at last ``outcome.json``. Nothing is remembered
elsewhere, so a new server knows as much as the old one.
"""

from __future__ import annotations

import json
import logging
import marshal
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cloche.compute.local import cgroups, processes, root
from cloche.compute.local import sandbox as box
from cloche.compute.local.handing_over import moved_in, order_of
from cloche.compute.local.nursery import Nursery
from cloche.compute.local.runner.host import output_name
from cloche.compute.local.runner.measuring import used_bytes
from cloche.compute.local.shape import Shape, shape_of
from cloche.compute.local.standby import Standby
from cloche.compute.local.usage import usage_of
from cloche.compute.local.watcher import Watcher
from cloche.compute.runtime import Capabilities, Ended, Limits, Lost, Observation, ProcessSpec, Running, Usage
from cloche.foundation.apart import keep_apart
from cloche.foundation.descriptors import is_readable
from cloche.foundation.errors import Broken, Invalid
from cloche.foundation.limits import LOG_BYTES_PER_JOB_MAX

if TYPE_CHECKING:
    from cloche.compute.containers.program import ContainerProgram

log = logging.getLogger(__name__)

CLAIM_SECONDS_MAX: Final = 10.0
END_SECONDS_MAX: Final = 3.0
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class LocalRuntime:
    """``sandbox`` is ``auto``, ``bubblewrap`` or ``process``. Raises ``Invalid`` where bubblewrap is demanded and
    does not work. ``run_dir`` is made; two runtimes may share one (a new server beside one that is ending). With
    ``standby`` processes are made ahead (``standby.py``). With ``containers`` what has a root of its own is one."""

    def __init__(
        self,
        run_dir: Path,
        sandbox: str = "auto",
        *,
        output_bytes_max: int = LOG_BYTES_PER_JOB_MAX,
        standby: bool = False,
        containers: ContainerProgram | None = None,
    ) -> None:
        self._run_dir = run_dir
        self.containers = containers
        self._output_bytes_max = output_bytes_max
        self._bwrap = _chosen(sandbox)
        self._etc = run_dir / ".etc"
        self.control_groups = cgroups.found() if self._bwrap else cgroups.ControlGroups()
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_apart(run_dir)
        self._runner = box.compiled_runner(run_dir.resolve() / ".runner")
        self._nursery = Nursery(box.runner_command(self._runner, "nursery"))
        self._listeners: list[Callable[[str], None]] = []
        self._watcher = Watcher(self._tell)
        self._capabilities = _sandboxed() if self._bwrap else _plain(sandbox)
        if containers is not None:
            text = f"{self._capabilities.explanation} Images of your own run as {containers.name}'s containers."
            self._capabilities = replace(self._capabilities, own_roots=True, explanation=text)
        self._standby: Standby | None = None
        if self._bwrap is not None:
            box.make_etc(self._etc)
            if standby:
                make = partial(self._document, stands_by=True)
                self._standby = Standby(run_dir / ".standby", make, self._nursery)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def start(self, spec: ProcessSpec) -> None:
        folder = self._folder(spec.id)
        if (folder / "runner.json").exists():
            return
        shape = shape_of(spec) if self._standby is not None else None
        if shape is None or not self._hand_over(spec, shape, folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            token = secrets.token_hex(16)
            _write_spec(folder, token, self._document(spec, token, folder))
            _announce(folder, spec)
            self._begin(folder)
            self._watch(spec.id, folder)
        if shape is not None and self._standby is not None:
            self._standby.want(shape, spec)

    def _hand_over(self, spec: ProcessSpec, shape: Shape, folder: Path) -> bool:
        """Have one who stands by become this process; whether it did."""
        assert self._standby is not None
        ready = self._standby.take(shape, folder)
        if ready is None:
            return False
        try:
            with moved_in(folder, spec) as mounts:
                document = self._document(spec, ready.token, folder, stood_by=True)
                document["order"] = order_of(spec, mounts, document["hosts"][0]["job"])
                document["notice"] = spec.notice
                took = ready.take(document)
        except BaseException:
            ready.kill()
            raise
        if took:
            self._watcher.listen(spec.id, ready.let_go())
        elif _claim_of(folder) is not None:  # it has, and could not say so
            os.close(ready.let_go())
            self._watch(spec.id, folder)
        else:
            ready.kill()
            log.warning("who stood by for %s did not take over; it is started in the ordinary way", spec.id)
            return False
        return True

    def _watch(self, id: str, folder: Path) -> None:
        runner = _claim_of(folder)
        if runner is None:
            raise Broken(f"the runner of {id} did not start", detail=str(folder))
        self._watcher.watch(id, runner["pid"], runner["identity"])

    def prepare(self, spec: ProcessSpec, seconds: float = 30.0) -> bool:
        """Have one stand by for processes like ``spec``, and wait for it; whether there is one."""
        shape = shape_of(spec) if self._standby is not None else None
        if shape is None or self._standby is None:
            return False
        self._standby.want(shape, spec)
        return self._standby.wait(shape, seconds)

    def observe(self, id: str) -> Observation | None:
        folder = self._folder(id)
        runner = _claim_of(folder)
        if runner is None:
            return None
        outcome = _read(folder / "outcome.json")
        if outcome is not None:
            return Ended(**outcome)
        process = _process_of(folder, runner)
        started_at = process.get("started_at", runner["claimed_at"])
        if processes.is_alive(runner["pid"], runner["identity"]):
            return Running(started_at, process.get("pid", runner["pid"]))
        outcome = _read(folder / "outcome.json")  # it may have ended between the two looks
        if outcome is not None:
            return Ended(**outcome)
        self._sweep(runner["token"], folder)
        return Lost(started_at)

    def stop(self, id: str, grace_seconds: float | None = None) -> None:
        folder = self._folder(id)
        runner = _claim_of(folder)
        if runner is None or (folder / "outcome.json").exists():
            return
        if grace_seconds is not None:
            part = folder / f"stop.{secrets.token_hex(8)}"
            with suppress(FileNotFoundError):  # forgotten meanwhile
                part.write_text(repr(float(grace_seconds)))
                part.replace(folder / "stop")
        processes.send(runner["pid"], runner["identity"], signal.SIGTERM)

    def usage(self, ids: Iterable[str]) -> dict[str, Usage]:
        runners = self._runners_alive(ids)
        found = usage_of(runners)
        if self.containers is not None:  # a container is no child of its runner
            contained = [id for id in runners if (self._folder(id) / "container-0").exists()]
            for id, hosts in self.usage_on_hosts(contained).items():
                parts = [found.get(id, Usage(0.0, 0)), *hosts]
                found[id] = Usage(sum(each.cpu_seconds for each in parts), sum(each.memory_bytes for each in parts))
        return found

    def usage_on_hosts(self, ids: Iterable[str]) -> dict[str, tuple[Usage, ...]]:
        hosts: dict[str, list[int]] = {}
        for id in self._runners_alive(ids):
            noted = _process_of(self._folder(id), _claim_of(self._folder(id)) or {})
            if noted:
                hosts[id] = noted.get("pids") or [noted["pid"]]
        used = usage_of({f"{id}/{number}": pid for id, pids in hosts.items() for number, pid in enumerate(pids)})
        nothing = Usage(0.0, 0)
        return {
            id: tuple(used.get(f"{id}/{number}", nothing) for number in range(len(pids))) for id, pids in hosts.items()
        }

    def _runners_alive(self, ids: Iterable[str]) -> dict[str, int]:
        """Their pids."""
        claims = {id: _claim_of(self._folder(id)) for id in ids}
        return {
            id: claim["pid"]
            for id, claim in claims.items()
            if claim is not None and processes.is_alive(claim["pid"], claim["identity"])
        }

    def disk_bytes(self, folder: Path) -> int:
        return used_bytes(str(folder))

    def output(self, id: str, host: int = 0) -> Path:
        return self._folder(id) / output_name(host)

    def on_change(self, listener: Callable[[str], None]) -> None:
        adopt = not self._listeners
        self._listeners.append(listener)
        if adopt:
            for id in self.known():
                runner = _claim_of(self._folder(id))
                if runner is not None and processes.is_alive(runner["pid"], runner["identity"]):
                    self._watcher.watch(id, runner["pid"], runner["identity"])

    def forget(self, id: str) -> None:
        folder = self._folder(id)
        runner = _claim_of(folder)
        if runner is not None and not (folder / "outcome.json").exists():
            self._kill(id, runner)
        shutil.rmtree(folder, ignore_errors=True)

    def interface(self, *, network: bool) -> str:
        return "eth0" if not network and box.networks() == "each" else "lo"

    def known(self) -> list[str]:
        return sorted(path.name for path in self._run_dir.iterdir() if not path.name.startswith("."))

    def close(self) -> None:
        """Listen no longer. Processes go on; another runtime on the same folder finds them."""
        if self._standby is not None:
            self._standby.close()
        self._nursery.close()
        self._watcher.close()

    # -- parts of the above ------------------------------------------------------------------------------

    def _folder(self, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise Invalid(f"{id!r} cannot name a process", field="id")
        return self._run_dir / id

    def _document(
        self, spec: ProcessSpec, token: str, folder: Path, *, stands_by: bool = False, stood_by: bool = False
    ) -> dict[str, Any]:
        if any(host.root for host in spec.hosts) and not self._capabilities.own_roots:
            raise Invalid("a process with an image's files as its own needs a sandbox", field="root")
        if spec.more_hosts and not self._capabilities.several_hosts:
            raise Invalid("a process on several hosts needs a sandbox", field="more_hosts")
        if self._bwrap is not None and not stood_by:  # who stood by has seen the name of a host all the time
            (folder / "hosts").write_text(box.hosts_file(spec))
        mark = {"PATH": os.defpath, processes.MARK: token}
        return {
            "token": token,
            "hosts": [self._host(spec, number, folder, mark, stands_by) for number in range(len(spec.hosts))],
            "networks": box.networks() or "shared" if box.meet_apart(spec) else "",
            "addresses": box.addresses(spec),
            "in_use": sorted({str(host.root.in_use) for host in spec.hosts if host.root is not None}),
            "companions": [
                {
                    "argv": list(argv),
                    "environment": {
                        **mark,
                        "CLOCHE_FAILURE": str(folder.resolve() / "companion-failure"),
                        "CLOCHE_DONE": str(folder.resolve() / "companion-done"),
                    },
                    "directory": "/",
                    "limits": {},
                }
                for argv in spec.companions
            ],
            "output_bytes_max": self._output_bytes_max,
            "disk_bytes": spec.limits.disk_bytes,
            "processes": spec.limits.processes,
            "max_runtime_seconds": spec.max_runtime_seconds,
            "stop_grace_seconds": spec.stop_grace_seconds,
        }

    def _host(
        self, spec: ProcessSpec, number: int, folder: Path, mark: dict[str, str], stands_by: bool
    ) -> dict[str, Any]:
        host = spec.hosts[number]
        environment = {**host.environment, processes.MARK: mark[processes.MARK]}
        command: list[str] = []
        enclosed: list[str] = []
        directory = host.directory or spec.directory
        ml_root = os.path.abspath(host.ml_root)  # noqa: PTH100
        written = [ml_root]
        image = None
        container = users = None
        if self.containers is not None and host.root is not None:
            root.open_to_all(host)
            container = self.containers.container(
                spec, number, mark[processes.MARK], folder, box.addresses(spec), environment
            )
        elif self._bwrap is not None and host.root is not None:
            layer = folder.resolve() / f"layer-{number}"
            layer.mkdir(mode=0o700, exist_ok=True)
            users = root.users_of(host.root)
            if users is not None:
                (folder / "hosts").chmod(0o644)
                root.open_to_all(host)
            written.append(str(layer))
            command, mounts = root.command(self._bwrap, spec, host, self._runner, folder / "hosts", layer)
            image = {"mounts": mounts, "directory": directory, "stop_signal": root.signal_number(host.root.stop_signal)}
        elif self._bwrap is not None:
            options = box.options(spec, host, self._runner, self._etc, folder / "hosts", stands_by=stands_by)
            if stands_by and box.encloses(self._runner):
                enclosed = options
            else:
                command = box.command(self._bwrap, options)
        else:
            environment["CLOCHE_ML_ROOT"] = str(host.ml_root)
            directory = str(_outside(directory, spec))
        return {
            "command": command,
            "enclosed": enclosed,
            "container": container,
            "command_environment": mark,
            "users": users.lines if users else None,
            "groups": None
            if container
            else self.control_groups.document(
                f"{mark[processes.MARK]}-{number}",
                spec.limits,
                yields=stands_by and not _imports(spec),
                prompt=spec.prompt,
            ),
            "ml_root": ml_root,
            "written": written,
            "job": {
                "argv": list(host.argv or spec.argv),
                "environment": environment,
                "directory": directory,
                "limits": _limits(spec.limits),
                "shares_network": spec.network and host.inlet is None,
                "stands_by": stands_by,
                "image": image,
                "folders": [(each.target, *each.identity) for each in host.mounts if each.identity is not None],
                "user": root.user(host.root) if image and host.root else None,
                "stop_signal": root.signal_number(host.root.stop_signal if host.root else ""),
                "inlet": [str(host.inlet.socket), host.inlet.port] if host.inlet is not None else None,
            },
        }

    def _begin(self, folder: Path) -> None:
        """Start a runner, and wait until it has claimed the folder or found it claimed."""
        told, tell = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            self._nursery.runner("run", folder, nothing, tell)
        except OSError as error:
            os.close(told)
            raise Broken("a runner could not be started", detail=str(error)) from error
        finally:
            os.close(tell)
            os.close(nothing)
        try:
            if is_readable(told, CLAIM_SECONDS_MAX):
                os.read(told, 1)
        finally:
            os.close(told)

    def _kill(self, id: str, runner: dict[str, Any]) -> None:
        self.stop(id, 0.0)
        deadline = time.monotonic() + END_SECONDS_MAX
        while processes.is_alive(runner["pid"], runner["identity"]):
            if time.monotonic() > deadline:
                processes.send(runner["pid"], runner["identity"], signal.SIGKILL)
                break
            time.sleep(0.005)
        if not (self._folder(id) / "outcome.json").exists():
            self._sweep(runner["token"], self._folder(id))

    def _sweep(self, token: str, folder: Path) -> None:
        processes.sweep(token)
        if self.containers is not None and any(folder.glob("container-*")):
            self.containers.remove(token)
        self.control_groups.remove(token)

    def _tell(self, id: str) -> None:
        for listener in list(self._listeners):
            listener(id)


def _chosen(sandbox_name: str) -> str | None:
    if sandbox_name == "process":
        return None
    path = box.bubblewrap()
    if path is None and sandbox_name == "bubblewrap":
        raise Invalid("bubblewrap (bwrap) is not there or cannot make a sandbox on this machine", field="sandbox")
    return path


def _sandboxed() -> Capabilities:
    return Capabilities(
        private_files=True,
        private_network=True,
        ml_root_at_opt_ml=True,
        several_hosts=True,
        own_roots=root.works(),
        explanation="Jobs run in bubblewrap sandboxes: each sees its own /opt/ml and /tmp, and none of your files.",
    )


def _plain(sandbox_name: str) -> Capabilities:
    why = "as asked for" if sandbox_name == "process" else "because bubblewrap is not there or does not work here"
    return Capabilities(
        private_files=False,
        private_network=False,
        ml_root_at_opt_ml=False,
        several_hosts=False,
        own_roots=False,
        explanation=f"Jobs run as plain processes, {why}: they can read your files and use your network, and /opt/ml"
        " is not there: the environment variable CLOCHE_ML_ROOT and the SM_… variables name a job's folder.",
    )


def _imports(spec: ProcessSpec) -> bool:
    """Whether one who stands by for it has work of its own to do, which is worth its share of processors."""
    return spec.standby is not None and bool(spec.standby.modules)


def _limits(limits: Limits) -> dict[str, int]:
    """What each process is bound by itself. No file can be larger than all that may be written."""
    named = {
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_FSIZE": limits.file_bytes or limits.disk_bytes,
    }
    return {name: value for name, value in named.items() if value is not None}


def _outside(directory: str, spec: ProcessSpec) -> Path:
    """Where a folder below ``/opt/ml`` is without a mount namespace."""
    path = Path(directory)
    return spec.ml_root / path.relative_to("/opt/ml") if path.is_relative_to("/opt/ml") else path


def _write_spec(folder: Path, token: str, document: dict[str, Any]) -> None:
    part = folder / f"spec.{token}"
    part.write_bytes(marshal.dumps(document))
    part.replace(folder / "spec")


def _announce(folder: Path, spec: ProcessSpec) -> None:
    """Begin each host's output with the process's notice, once; whatever prints there only ever appends."""
    line = f"{spec.notice}\n".encode()
    for number in range(len(spec.hosts) if spec.notice else 0):
        with (folder / output_name(number)).open("a+b") as file:
            file.seek(0)
            if file.read(len(line)) != line:
                file.write(line)


def _read(path: Path) -> dict[str, Any] | None:
    """``None`` too for a file that a power cut left empty or torn: what was not written out was not there."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return document


def _claim_of(folder: Path) -> dict[str, Any] | None:
    """Who runs the process in ``folder``. A claim that a power cut tore is one of a runner that is dead."""
    path = folder / "runner.json"
    claim = _read(path)
    if claim is not None:
        return claim
    with suppress(FileNotFoundError):
        return {"pid": 0, "identity": "unknown", "token": "unknown", "claimed_at": path.stat().st_mtime}
    return None


def _process_of(folder: Path, claim: Mapping[str, Any]) -> Mapping[str, Any]:
    """What its runner wrote down of the process; whoever stood by did so with its claim."""
    return _read(folder / "process.json") or claim.get("process") or {}
