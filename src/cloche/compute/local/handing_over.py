"""How a process comes to one who stands by: its files move into the sandbox that was made before there were any, and
what it is to do becomes an order.

A Python program is run by the interpreter that waits; any other is started by process 1 of the sandbox.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cloche.compute.local.shape import ML_ROOT, interpreter_of, is_below
from cloche.compute.runtime import ProcessSpec

INPUTS: Final = "/run/inputs"
"""Where the folders that will be bound into ``/opt/ml`` pass through."""


@contextmanager
def moved_in(folder: Path, spec: ProcessSpec) -> Iterator[list[tuple[str, str]]]:
    """The process's own folder becomes that of the one who stood by, under its old path; its inputs pass through
    ``folder`` while they are bound. Answers what is to be bound where, as seen inside."""
    ready, place = folder / "ml", spec.ml_root
    ready.chmod(place.stat().st_mode & 0o7777)
    for child in place.iterdir():
        child.rename(ready / child.name)
    place.rmdir()
    ready.rename(place)
    passing: list[tuple[Path, Path]] = []
    orders: list[tuple[str, str]] = []
    dynamic = [mount for mount in spec.mounts if is_below(mount.target, ML_ROOT)]
    try:
        for number, mount in enumerate(sorted(dynamic, key=lambda each: each.target.count("/"))):
            inside = place / mount.target.removeprefix(ML_ROOT).lstrip("/")
            if mount.source.is_dir():
                inside.mkdir(parents=True, exist_ok=True)
            else:
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.touch()
            through = folder / "inputs" / str(number)
            mount.source.rename(through)
            passing.append((through, mount.source))
            orders.append((f"{INPUTS}/{number}", mount.target))
        yield orders
    finally:
        for through, source in passing:
            through.rename(source)


def order_of(spec: ProcessSpec, mounts: Sequence[tuple[str, str]], job: Mapping[str, Any]) -> dict[str, Any]:
    """What ``runner.ready`` reads: ``interpreted`` goes on to ``cloche_jobs/standby.py``, ``program`` is started."""
    if not interpreter_of(spec):
        return {"mounts": list(mounts), "program": dict(job)}
    named = {name: job[name] for name in ("environment", "directory", "limits")}
    prefix = spec.standby.prefix if spec.standby is not None else ""
    interpreted = marshal.dumps({"argv": list(spec.argv), "prefix": prefix, **named})
    return {"mounts": list(mounts), "interpreted": interpreted}
