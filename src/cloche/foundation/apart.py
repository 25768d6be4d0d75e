"""Folders whose subfolders have nothing to do with one another, and are told to lie apart.

ext4 makes a folder's files near it, and a folder near its parent. Without a journal (as machines that are thrown away
have it) it does not take an inode again that was freed in the last minutes, but walks past all of them, for each file
that is made (``recently_deleted`` in fs/ext4/ialloc.c). Jobs make and remove some thirty files each: after a few
hundred of them half the processor time of the next one's start was this walk. Below a folder that is marked as the top
of hierarchies (attribute ``T`` of chattr(1)) each subfolder begins elsewhere on the disk: there is little to walk past.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

# linux/fs.h: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS (of a long, by their numbers), FS_TOPDIR_FL
_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_TOP: Final = 0x00020000


def keep_apart(folder: Path) -> None:
    """Mark ``folder`` as one of unrelated subfolders. Nothing where the file system knows no such mark."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))[:4], "little")
            if not flags & _TOP:
                fcntl.ioctl(descriptor, _SET_FLAGS, (flags | _TOP).to_bytes(8, "little"))
        finally:
            os.close(descriptor)
