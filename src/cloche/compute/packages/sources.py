"""What a job finds of this machine's way to packages: one file for pip, one for uv, and the folders they name.

The files are made anew from everything that was configured, and hold what says where packages come from, nothing else:
a person's own files may say more. They are made again when one of those changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from cloche.compute.packages import pip_configuration, uv_configuration
from cloche.compute.packages.settings import paths_named
from cloche.compute.runtime import Mount

INSIDE: Final = "/etc/cloche"
_NOT_BELOW: Final = tuple(map(Path, ("/opt/ml", "/opt/cloche", "/proc", "/sys", "/dev", "/run", "/etc/cloche")))
_SEEN_ANYWAY: Final = tuple(
    map(Path, ("/usr", "/lib", "/lib64", "/bin", "/etc/ssl", "/etc/pki", "/etc/ca-certificates"))
)


@dataclass(frozen=True, slots=True)
class Found:
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]


NONE: Final = Found((), {})


class PackageSources:
    """``folder`` is where the files are made; ``private`` are folders that no job may see, whatever is configured, nor
    anything they lie in."""

    def __init__(self, folder: Path, private: Iterable[Path], environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = dict(os.environ if environment is None else environment)
        home = Path(self._environment.get("HOME") or Path.home())
        self._closed = tuple(path.resolve() for path in private)
        self._not_whole = (*self._closed, home.resolve(), Path("/"))
        looked_at = [*pip_configuration.files(self._environment), *uv_configuration.places(self._environment)]
        self._looked_at = [str(path) for path in looked_at]
        self._lock = Lock()
        self._state: object = None
        self._mounts: tuple[Mount, ...] = ()

    def found(self, *, private_files: bool) -> Found:
        """What to mount and to set. Without private files a job reads what is there as it lies."""
        with self._lock:
            state = [_stamp(path) for path in self._looked_at]
            if state != self._state:
                self._mounts = self._make()
                self._state = state
        pip, uv, *_ = self._mounts
        variables = {
            "PIP_CONFIG_FILE": pip.target if private_files else str(pip.source),
            "UV_CONFIG_FILE": uv.target if private_files else str(uv.source),
        }
        return Found(self._mounts, {**uv_configuration.passed_on(self._environment), **variables})

    def _make(self) -> tuple[Mount, ...]:
        pip, uv = pip_configuration.read(self._environment), uv_configuration.read(self._environment)
        self._folder.mkdir(parents=True, exist_ok=True)
        files = (
            self._write("pip.conf", pip_configuration.written(pip)),
            self._write("uv.toml", uv_configuration.written(uv)),
        )
        named = [*paths_named(pip), *paths_named(uv_configuration.options(uv, self._environment))]
        return (*files, *(Mount(path, str(path)) for path in dict.fromkeys(named) if self._may_be_seen(path)))

    def _write(self, name: str, text: str) -> Mount:
        part = self._folder / f".{name}.{os.getpid()}"
        part.touch(0o600)
        part.write_text(text, encoding="utf-8")
        part.replace(self._folder / name)
        return Mount(self._folder / name, f"{INSIDE}/{name}")

    def _may_be_seen(self, path: Path) -> bool:
        if any(path.is_relative_to(other) for other in (*_NOT_BELOW, *_SEEN_ANYWAY)):
            return False
        really = path.resolve()
        return not any(really.is_relative_to(folder) for folder in self._closed) and not any(
            folder.is_relative_to(really) for folder in self._not_whole
        )


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - every job pays for this
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
