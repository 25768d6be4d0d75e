"""Where a job's own folders lie on this machine, as one host lays them out.

A job sees its host's folder at ``/opt/ml``. An input that is bound read-only lies elsewhere and is laid over it, and so
is whatever is to be found below such an input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cloche.compute.runtime import Mount
from cloche.jobs.place import Place
from cloche_jobs.contract.layout import ML_ROOT


@dataclass(slots=True)
class Inside:
    """Filled from the outside in: a folder before what lies below it."""

    place: Place
    mounts: list[Mount] = field(default_factory=list)

    def folder(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """(root, way): a folder the job can write to at ``path``, made; the job cannot replace its root."""
        cover = self._cover(path)
        if cover is None:
            root, way = self.place.layout.root, PurePosixPath(path).relative_to(ML_ROOT).parts
            root.joinpath(*way).mkdir(parents=True, exist_ok=True)
            return root, way
        self._point_in(cover, path).mkdir(parents=True, exist_ok=True)
        root = self.place.folder / "laid" / str(len(self.mounts))
        root.mkdir(parents=True)
        self.mounts.append(Mount(root, path, writable=True))
        return root, ()

    def bind(self, source: Path, path: str) -> None:
        """Have the folder ``source`` seen at ``path``, read-only."""
        cover = self._cover(path)
        point = self._point_in(cover, path) if cover is not None else self._in_root(path)
        point.mkdir(parents=True, exist_ok=True)
        self.mounts.append(Mount(source, path))

    def bind_file(self, source: Path, target: Path, path: str) -> None:
        """Have the file ``source`` seen at ``path``, which is ``target`` here, read-only."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(exist_ok=False)
        self.mounts.append(Mount(source, path))

    def _in_root(self, path: str) -> Path:
        return self.place.layout.root / PurePosixPath(path).relative_to(ML_ROOT)

    def _cover(self, path: str) -> Mount | None:
        """The folder laid over ``/opt/ml`` that ``path`` is to be found in, if there is one."""
        over = [mount for mount in self.mounts if PurePosixPath(path).is_relative_to(mount.target)]
        return max(over, key=lambda mount: mount.target.count("/"), default=None)

    @staticmethod
    def _point_in(cover: Mount, path: str) -> Path:
        return cover.source / PurePosixPath(path).relative_to(cover.target)
