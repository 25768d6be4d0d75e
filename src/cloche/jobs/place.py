"""Where the files of one job lie on this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cloche_jobs.contract import Layout


@dataclass(frozen=True, slots=True)
class Place:
    """``folder`` holds ``ml`` (seen as ``/opt/ml``), ``inputs/<name>`` (bound read-only), ``feeds/<name>`` (read by the
    feeder of pipes alone) and ``packed``; and the like of the job's other hosts in ``host-<number>``."""

    folder: Path

    @property
    def layout(self) -> Layout:
        return Layout(self.folder / "ml")

    @property
    def packed(self) -> Path:
        return self.folder / "packed"

    def inputs(self, name: str) -> Path:
        return self.folder / "inputs" / name

    @property
    def feeds(self) -> Path:
        return self.folder / "feeds"

    def of_host(self, number: int) -> Place:
        """The place of one host, counted from 0; the first host's is the job's own."""
        return Place(self.folder / f"host-{number}") if number else self

    def make_afresh(self) -> Layout:
        """An empty folder; whatever an earlier attempt left is gone."""
        self.remove()
        self.folder.mkdir(parents=True, mode=0o700)
        return self.layout

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def is_own_folder(folder: Path, root: Path) -> bool:
    """The job may have put a link in place of any folder of its own: what lies beyond is not its to send away."""
    while folder != root:
        if folder.is_symlink() or not folder.is_dir():
            return False
        folder = folder.parent
    return True
