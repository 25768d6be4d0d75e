"""Environments that nothing needs any more: those of other locks and interpreters, and the rests of builds.

An environment that a process uses is left. A job's sandbox has it mounted and a plain process runs its interpreter, so
it is found in either's ``mountinfo`` or command line; where there is no ``/proc`` (macOS) nothing can be found in use,
which is said.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cloche.compute.images.builder import EnvironmentBuilder, occupied


@dataclass(frozen=True, slots=True)
class Unneeded:
    """``bytes`` is what its files occupy; ``in_use`` that a process of this machine has it open."""

    folder: Path
    bytes: int
    in_use: bool


def unneeded(builder: EnvironmentBuilder, *, everything: bool = False) -> list[Unneeded]:
    """What may be removed of the cache; with ``everything`` also what this version of Cloche would use."""
    kept = set() if everything else {status.folder.name for status in builder.status()}
    folders = [path for path in sorted(builder.cache.glob("[!.]*")) if path.is_dir() and path.name not in kept]
    rests = [path for path in sorted(builder.cache.glob(".*.building-*")) if not _is_alive(path.name)]
    used = in_use([*folders, *rests])
    return [Unneeded(folder, occupied(folder), folder in used) for folder in (*folders, *rests)]


def remove(what: Unneeded) -> None:
    """Renamed first, so that nobody finds half an environment."""
    doomed = what.folder.with_name(f".{what.folder.name}.building-{os.getpid()}")
    what.folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _is_alive(name: str) -> bool:
    """Does the builder of ``.KEY.building-PID`` still run?"""
    pid = name.rpartition("-")[2]
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def in_use(folders: Iterable[Path]) -> set[Path]:
    """Those of ``folders`` that a process has mounted or runs from."""
    names = {os.fsencode(folder.resolve()): folder for folder in folders}
    found: set[Path] = set()
    for process in Path("/proc").glob("[0-9]*"):
        for what in ("mountinfo", "cmdline"):
            with suppress(OSError):
                content = (process / what).read_bytes()
                found.update(folder for name, folder in names.items() if name in content)
    return found
