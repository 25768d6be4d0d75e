"""Where a channel's bytes are: the files of its folder, or the pipe of its first epoch.

Rules about files: ``data_utils.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout

FOLDER_DEPTH_MAX: Final = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes under the name that messages call them by. What came through a pipe is held in memory: readers look at
    their data twice where something in it is wrong, and a pipe can be read but once."""

    name: str
    path: Path | None = None
    content: bytes = b""

    @classmethod
    def of(cls, path: Path) -> Source:
        return cls(path.name, path)

    def open(self) -> IO[bytes]:
        return io.BytesIO(self.content) if self.path is None else self.path.open("rb")

    def text(self, *, encoding: str = "utf-8") -> IO[str]:
        """Its lines; what is no text becomes a sign that no reader takes for a number."""
        return io.TextIOWrapper(self.open(), encoding=encoding, errors="replace")


def channel_sources(layout: Layout, channel: str, input_mode: str = "File") -> list[Source]:
    """The channel's data, in order; empty where there are none. Raises ``UserError``."""
    if input_mode != "Pipe":
        return [Source.of(path) for path in data_files(layout.channel(channel))]
    pipe = layout.data / f"{channel}_0"
    if not pipe.exists():
        return []
    content = pipe.read_bytes()
    return [Source(f"the pipe of channel {channel}", content=content)] if content else []


def data_files(folder: Path) -> list[Path]:
    """The channel's files, sorted, down to the depth AWS reads. Raises ``UserError``."""
    if not folder.exists():
        return []
    return sorted(_walk(folder, folder, 1))


def _walk(root: Path, folder: Path, depth: int) -> Iterator[Path]:
    if depth > FOLDER_DEPTH_MAX:
        log.warning(
            "The depth of folder %s exceed the limit %d. Files in deeper sub dirs won't be loaded. "
            "Please adjust the folder structure accordingly.",
            root,
            FOLDER_DEPTH_MAX,
        )
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(root, Path(entry.path), depth + 1)
            elif entry.name.startswith("."):
                raise UserError("Hidden file found in the data path! Remove that before training.")
            elif not entry.name.startswith("_") and entry.stat().st_size:
                yield Path(entry.path)
