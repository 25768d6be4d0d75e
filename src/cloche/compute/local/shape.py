"""What makes one who stands by fit what is to be started: interpreter, imports, fixed mounts and environment, network,
limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from pathlib import Path
from typing import Any, Final

from cloche.compute.local.sandbox import SYSTEM_FOLDERS
from cloche.compute.runtime import Mount, ProcessSpec

ML_ROOT: Final = "/opt/ml"
PROGRAM: Final = "/opt/cloche/cloche_jobs/standby.py"
_OPTIONS: Final = ("-P", "-u")


@dataclass(frozen=True, slots=True)
class Shape:
    """``python`` is an absolute path; ``mounts`` are those outside ``/opt/ml``."""

    python: str
    """Empty for other programs: a sandbox alone stands by then."""
    options: tuple[str, ...]
    modules: tuple[str, ...]
    mounts: tuple[Mount, ...]
    environment: tuple[tuple[str, str], ...]
    network: bool
    host_name: str
    limits: Any


def shape_of(spec: ProcessSpec) -> Shape | None:
    """``None`` for a process that nobody who stands by can become."""
    wanted = spec.standby
    if wanted is None or spec.more_hosts or spec.companions or spec.socket is not None:
        return None
    if any(mount.writable or mount.identity for mount in spec.mounts) or not _is_there(spec):
        return None
    python = interpreter_of(spec)
    options: tuple[str, ...] = ()
    if python:
        words = own_words(spec.argv)
        if not words or (words[0].startswith("-") and words[0] not in ("-m", "-c")):
            return None
        options = ("-u",) if "-u" in spec.argv[1 : len(spec.argv) - len(words)] else ()
    elif not _is_inside(spec.argv[0]):
        return None
    fixed = tuple(mount for mount in spec.mounts if not is_below(mount.target, ML_ROOT))
    if python and not any(is_below(PROGRAM, mount.target) for mount in fixed):
        return None
    modules = wanted.modules if python else ()
    environment = tuple(sorted((k, v) for k, v in spec.environment.items() if k not in wanted.later))
    limits = replace(spec.limits, disk_bytes=None)
    return Shape(python, options, modules, fixed, environment, spec.network, spec.host_name, limits)


def interpreter_of(spec: ProcessSpec) -> str:
    """The interpreter a command line names; empty for another program."""
    name = spec.argv[0]
    if name.startswith("/"):
        return name if Path(name).name.startswith("python") else ""
    return spec.standby.python if spec.standby is not None and name in ("python", "python3") else ""


def own_words(argv: Sequence[str]) -> list[str]:
    """What follows an interpreter and its options."""
    return list(dropwhile(_OPTIONS.__contains__, argv[1:]))


def is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _is_inside(program: str) -> bool:
    """Whether every sandbox has what this names, if there is such a program."""
    return not program.startswith("/") or any(is_below(program, folder) for folder in (ML_ROOT, *SYSTEM_FOLDERS))


def _is_there(spec: ProcessSpec) -> bool:
    """Whether the folder it is to work in is one that we know of."""
    if not is_below(spec.directory, ML_ROOT):
        return False
    return (spec.ml_root / spec.directory.removeprefix(ML_ROOT).lstrip("/")).is_dir()
