"""File systems of the user's own (Amazon EFS, FSx for Lustre), each a directory of this machine that he has named.

A channel sees the directory itself: nothing is copied, on every host of the job it is the same, and what is written
through a channel that may write is there for good. ``DirectoryPath`` counts from the directory: of EFS it is the path
in the file system, of Lustre the file system's mount name, which says nothing here, and the path after it
(docs.aws.amazon.com/fsx/latest/LustreGuide/mounting-ec2-instance.html).

Another job may write there at the same time, and put a link in a folder's place. So a folder is opened first and then
asked where it is and which one it is, and no process begins with another one at that path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloche.compute.runtime import Mount
from cloche.foundation.errors import Invalid

LUSTRE: Final = "FSxLustre"


@dataclass(frozen=True, slots=True)
class DirectoryInput:
    """A folder of a file system that a job asks for, in AWS's words."""

    name: str
    file_system: str
    type: str
    path: str
    writable: bool = False
    content_type: str | None = None

    @property
    def uri(self) -> str:
        return f"{self.file_system}:{self.path}"


@dataclass(frozen=True, slots=True)
class FileSystems:
    """``folders`` are the directories by the file systems' ids."""

    folders: Mapping[str, Path] = field(default_factory=dict)

    def mount(self, input: DirectoryInput, target: str) -> Mount:
        """The folder that ``input`` asks for, to be bound at ``target``. Raises ``Invalid``: the id is not known, there
        is no such folder, or it is not in the file system."""
        root = self.folders.get(input.file_system)
        if root is None:
            raise Invalid(
                f"File system {input.file_system} of channel {input.name} does not exist: cloche up --file-system "
                f"{input.file_system}=DIRECTORY says which directory of this machine stands for it.",
                field="FileSystemId",
            )
        folder, identity = _found(root.joinpath(*_parts(input)), input)
        if not folder.is_relative_to(root.resolve()):
            raise _refused(input, "leads out of the file system")
        return Mount(folder, target, input.writable, identity)


def _parts(input: DirectoryInput) -> list[str]:
    if not input.path.startswith("/") or "\0" in input.path:
        raise _refused(input, "is not the full path of a directory")
    parts = [part for part in input.path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(input, "leads out of the file system")
    if input.type != LUSTRE:
        return parts
    if not parts:
        raise _refused(input, "does not begin with the file system's mount name")
    return parts[1:]


def _found(path: Path, input: DirectoryInput) -> tuple[Path, tuple[int, int]]:
    try:
        opened = os.open(path, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise _refused(input, f"is not a directory there: {told}") from None
    try:
        status, link = os.fstat(opened), Path(f"/proc/self/fd/{opened}")
        return link.readlink() if link.exists() else path.resolve(), (status.st_dev, status.st_ino)
    finally:
        os.close(opened)


def _refused(input: DirectoryInput, what: str) -> Invalid:
    return Invalid(
        f"DirectoryPath {input.path[:200]!r} of file system {input.file_system} in channel {input.name} {what}.",
        field="DirectoryPath",
    )
