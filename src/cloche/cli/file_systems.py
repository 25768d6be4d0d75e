"""``--file-system ID=DIRECTORY``: what stands for a file system, looked at before the server starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click

_ID: Final = re.compile(r"fs-[0-9a-f]{8,18}")
"""``FileSystemId`` in SageMaker's model: 11 to 21 characters, fs-[0-9a-f]{8,}."""


def file_systems_of(given: Iterable[str], data: Path) -> tuple[tuple[str, Path], ...]:
    """Raises ``UsageError``. What jobs may write to is neither in the data directory nor around it: whoever could write
    there could be anybody."""
    found: dict[str, Path] = {}
    for each in given:
        id, _, name = each.partition("=")
        if not _ID.fullmatch(id) or not name:
            raise click.UsageError(f"--file-system is ID=DIRECTORY, as fs-0123456789abcdef0=/mnt/data, not {each!r}")
        folder = Path(name).expanduser().resolve()
        if not folder.is_dir():
            raise click.UsageError(f"--file-system {id}: {name} is not a directory")
        if id in found:
            raise click.UsageError(f"--file-system {id} is given twice")
        home = data.resolve()
        if folder.is_relative_to(home) or home.is_relative_to(folder):
            raise click.UsageError(f"--file-system {id}: {name} and the data directory {data} lie in one another")
        found[id] = folder
    return tuple(found.items())


def told(file_systems: Iterable[Sequence[str]]) -> Iterator[str]:
    """A line for each."""
    for id, folder in file_systems:
        yield f"{id} is {folder}{'' if Path(folder).is_dir() else ', WHICH IS NOT THERE'}"
