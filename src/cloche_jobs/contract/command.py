"""How a job's process is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

PACKAGE_ROOT = PurePosixPath("/opt/cloche")
"""What ``PYTHONPATH`` names inside a mount namespace; ``cloche_jobs`` is bound below it, read-only."""


def package_folder() -> Path:
    """The folder ``cloche_jobs`` of this installation, to be bound at ``PACKAGE_ROOT / "cloche_jobs"``."""
    return Path(__file__).resolve().parent.parent


def command(python: Path | str, verb: str, arguments: Sequence[str] = ()) -> list[str]:
    """The command line of a job; ``verb`` is ``train`` or ``serve``.

    ``-P`` keeps the working directory, which belongs to the user, off the import path of our own start.
    """
    assert verb in ("train", "serve"), verb
    return [str(python), "-P", "-m", "cloche_jobs.entry", verb, *arguments]
