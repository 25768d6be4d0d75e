"""The files of a dataset, in the order of their paths; none is called ``.name`` or ``_name`` (as in Spark)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cloche_jobs.contract.failure import UserError


def files_of(source: Path) -> Sequence[Path]:
    """``source`` is a file or a folder. Raises ``UserError`` where there is none, or nothing in it."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f"dataset_source {source} does not exist")
    found: list[Path] = []
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "_")))
        found += [Path(folder, name) for name in sorted(names) if not name.startswith((".", "_"))]
    if not any(each.stat().st_size for each in found):
        raise UserError(f"The dataset is empty: {'no file' if not found else 'no file with anything in it'} was found")
    return found
