"""Building an environment from a lock file, once per machine.

An environment's folder is named for what went into it: the lock's name and a hash over lock, interpreter and platform.
It is there or it is not: a build goes into a folder of its own beside it and is renamed when it is complete, so a
build cut short leaves nothing that could be taken for an environment, and its rest is swept by the next builder.
Builders in other threads and processes wait at a lock file of the same name; the second finds the work done.

A virtual environment knows its own path only in its scripts' first lines (``bin/pip``), so it is made relocatable.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.compute.images import torch_source
from cloche.compute.images.interpreter import Interpreter, build_environment, choose_interpreter, find_uv, look_for
from cloche.foundation.errors import ClocheError
from cloche_jobs.catalog import ENVIRONMENTS, IMPORTED, LOCKS, TORCH, USES_TORCH
from cloche_jobs.contract import package_folder

OnLine = Callable[[str], None]
_MARKER: Final = "cloche-environment.json"
_FORMAT: Final = 1
_LINES_KEPT: Final = 40


class EnvironmentFailed(ClocheError):
    """An environment could not be built; ``message`` is a sentence, ``detail`` the builder's last lines."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete environment; ``folder`` holds all of it (bind it read-only), besides the base interpreter."""

    key: str
    folder: Path
    python: Path
    base: Path
    """The installation the environment borrows its interpreter and standard library from; bind it read-only too."""


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """``built_at`` is seconds since 1970; ``bytes`` what its files occupy if nothing is shared with uv's cache."""

    key: str
    ready: bool
    folder: Path
    bytes: int
    built_at: float
    seconds: float
    failure: str


def default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "cloche" / "images"


class EnvironmentBuilder:
    """Thread-safe. ``cache`` is shared between servers; ``locks`` holds ``<key>.txt`` files, without what a key has
    from ``@`` on: the version of Python it wants."""

    def __init__(self, cache: Path | None = None, *, locks: Path = LOCKS, uv: Path | None = None) -> None:
        self.cache = cache or default_cache()
        self.locks = locks
        self._uv = uv
        self._interpreters: dict[str, Interpreter] = {}
        self._mutexes: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._ready: dict[str, Environment] = {}
        self._failures: dict[str, str] = {}

    def find(self, key: str) -> Environment | None:
        """The environment if it is built; takes about a millisecond. Raises ``EnvironmentFailed`` for unknown keys."""
        known = self._ready.get(key)
        if known is not None and known.python.exists():
            return known
        folder = self._folder(key)
        if not (folder / _MARKER).is_file():
            return None
        environment = self._environment(key, folder)
        self._ready[key] = environment
        return environment

    def ensure(self, key: str, on_line: OnLine | None = None, *, wheels: Path | None = None) -> Environment:
        """The environment, built first if need be (seconds to minutes). Raises ``EnvironmentFailed``.

        ``on_line`` is called with each line of progress, in the calling thread. With ``wheels``, a folder of them, no
        package registry is asked.
        """
        tell = on_line or (lambda line: None)
        found = self.find(key)
        if found is not None:
            return found
        with self._guard:
            mutex = self._mutexes.setdefault(key, threading.Lock())
        with mutex, self._machine_wide(key, tell):
            found = self.find(key)
            return found if found is not None else self._build(key, tell, wheels)

    def status(self) -> list[EnvironmentStatus]:
        """One entry for each environment the catalog needs, built or not. Reads every file's size: not for loops."""
        return [self._status(key) for key in ENVIRONMENTS if self.knows(key) and self._can_be_made(key)]

    def remove(self, key: str) -> None:
        """Throw the built environment away; the next ``ensure`` builds it again."""
        with self._machine_wide(key, lambda line: None):
            self._ready.pop(key, None)
            shutil.rmtree(self._folder(key), ignore_errors=True)

    def download(self, keys: Iterable[str], folder: Path, on_line: OnLine) -> list[Path]:
        """The wheels that the locks of ``keys`` name, fetched into ``folder``: each once. Raises ``EnvironmentFailed``.

        uv has no word for it, so pip does it, in an environment of its own.
        """
        python = folder / "pip" / "bin" / "python"
        uv = str(self._uv_path())
        made = [uv, "venv", "--no-project", "--python", str(self.interpreter().path), str(folder / "pip")]
        self._run("of pip", on_line, made)
        self._run("of pip", on_line, [uv, "pip", "install", "--python", str(python), "pip"])
        wheels = folder / "wheels"
        for key in keys:
            on_line(f"downloading the wheels of {key}")
            command = [str(python), "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
            command += ["--progress-bar", "off", "--only-binary", ":all:", "--require-hashes", "--dest", str(wheels)]
            for lock in self.locks_of(key):
                self._run(key, on_line, [*command, "--requirement", str(lock)])
        return sorted(wheels.glob("*.whl"))

    def locks_of(self, key: str) -> list[Path]:
        """The lock files that the environment is made from."""
        own = key.partition("@")[0]
        names = (own, TORCH) if key in USES_TORCH else (own,)
        return [self.locks / f"{name}.txt" for name in names]

    def knows(self, key: str) -> bool:
        return key in ENVIRONMENTS and self.locks_of(key)[0].is_file()

    def interpreter(self, key: str = "") -> Interpreter:
        """The Python that an environment is made with here. Raises ``EnvironmentFailed`` where it is not there."""
        version = key.partition("@")[2]
        if version not in self._interpreters:
            uv = self._uv_path()
            found = look_for(uv, version) if version else choose_interpreter(uv)
            if found is None:
                raise EnvironmentFailed(
                    f"the environment {key} wants Python {version}, which is not on this machine: "
                    f"`uv python install {version}` brings it"
                )
            self._interpreters[version] = found
        return self._interpreters[version]

    def _can_be_made(self, key: str) -> bool:
        with contextlib.suppress(EnvironmentFailed):
            return bool(self.interpreter(key))
        return False

    def _uv_path(self) -> Path:
        self._uv = self._uv or find_uv()
        if self._uv is None:
            raise EnvironmentFailed("uv is not there: it belongs to Cloche's own installation (pip install uv)")
        return self._uv

    def _folder(self, key: str) -> Path:
        try:
            content = b"".join(lock.read_bytes() for lock in self.locks_of(key))
        except OSError as error:
            raise EnvironmentFailed(f"there is no lock file for the environment {key}", detail=str(error)) from error
        python = self.interpreter(key)
        parts = (content, python.tag, str(python.path), platform.machine(), platform.system(), str(_FORMAT))
        digest = hashlib.sha256(b"\0".join(p if isinstance(p, bytes) else p.encode() for p in parts))
        return self.cache / f"{key}-{digest.hexdigest()[:16]}"

    def _environment(self, key: str, folder: Path) -> Environment:
        return Environment(key, folder, folder / "bin" / "python", self.interpreter(key).path.parent.parent)

    @contextlib.contextmanager
    def _machine_wide(self, key: str, tell: OnLine) -> Iterator[None]:
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / f".{key}.lock").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell(f"another process is building the environment {key}; waiting for it")
                fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def _build(self, key: str, tell: OnLine, wheels: Path | None) -> Environment:
        folder, started = self._folder(key), time.monotonic()
        for rest in (folder, *self.cache.glob(f".{key}.building-*")):
            shutil.rmtree(rest, ignore_errors=True)
        building = self.cache / f".{key}.building-{os.getpid()}"
        try:
            self._fill(key, building, tell, wheels)
            seconds = round(time.monotonic() - started, 3)
            marker = {"key": key, "built_at": time.time(), "seconds": seconds, "bytes": occupied(building)}
            (building / _MARKER).write_text(json.dumps(marker), encoding="utf-8")
            building.rename(folder)
        except EnvironmentFailed as error:
            self._failures[key] = error.message
            shutil.rmtree(building, ignore_errors=True)
            raise
        except OSError as error:
            self._failures[key] = f"the environment {key} could not be built: {error}"
            shutil.rmtree(building, ignore_errors=True)
            raise EnvironmentFailed(self._failures[key]) from error
        self._failures.pop(key, None)
        tell(f"environment {key} is ready after {seconds:.1f} s")
        self._ready[key] = self._environment(key, folder)
        return self._ready[key]

    def _fill(self, key: str, building: Path, tell: OnLine, wheels: Path | None) -> None:
        uv, python = str(self._uv_path()), self.interpreter(key)
        locks, imported = self.locks_of(key), IMPORTED.get(key)
        tell(f"building the environment {key} with {python.tag}")
        self._run(key, tell, [uv, "venv", "--relocatable", "--no-project", "--python", str(python.path), str(building)])
        inside = str(building / "bin" / "python")
        install = [uv, "pip", "sync", "--require-hashes", "--python", inside, *map(str, locks)]
        if imported is None:
            install.append("--compile-bytecode")
        if wheels is not None:
            install += ["--offline", "--no-index", "--find-links", str(wheels)]
        elif key in USES_TORCH:
            install += torch_source.options(self._uv_path(), inside, locks[-1])
        self._run(key, tell, install)
        if imported is not None:
            tell(f"importing {', '.join(imported)} once")
            self._run(key, tell, [inside, "-c", f"import {', '.join(imported)}"], PYTHONDONTWRITEBYTECODE="")
        _compile_package(inside)

    def _run(self, key: str, tell: OnLine, command: list[str], **variables: str) -> None:
        lines: list[str] = []
        with subprocess.Popen(
            command,
            env={**build_environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line := line.rstrip():
                    lines = [*lines[1 - _LINES_KEPT :], line]
                    tell(line)
        if process.returncode != 0:
            said, program = " ".join(line.strip() for line in lines)[-600:], Path(command[0]).name
            raise EnvironmentFailed(
                f"the environment {key} could not be built ({program} ended with {process.returncode}): {said}",
                detail="\n".join(lines),
            )

    def _status(self, key: str) -> EnvironmentStatus:
        folder = self._folder(key)
        try:
            marker = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return EnvironmentStatus(key, False, folder, 0, 0.0, 0.0, self._failures.get(key, ""))
        return EnvironmentStatus(
            key, True, folder, int(marker["bytes"]), float(marker["built_at"]), float(marker["seconds"]), ""
        )


def occupied(folder: Path) -> int:
    """The bytes of all files below ``folder``."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _compile_package(python: str) -> None:
    """Byte code of ``cloche_jobs`` for that interpreter, where the installation can be written to; it saves every
    job some 50 ms and may fail without harm."""
    command = [python, "-m", "compileall", "-q", "-j", "1", str(package_folder())]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
