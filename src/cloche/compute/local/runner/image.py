"""A root of the job's own: the files of an image, and over them a layer that the job may write.

The sandbox begins with this machine's system folders, from which process 1 runs. Here process 1 lays the job's layer
over the image (an overlay, which the kernel allows in a user namespace from Linux 5.11 on), brings along what the job
was given, and makes that the root of its namespace: nothing of this machine is left in it, not for process 1 either.
All names are looked up once the image is the root, so that the links of a hostile image lead nowhere else.

What process 1 needs afterwards is imported before: its interpreter's files are gone then. Numbers: ``linux/mount.h``,
``asm-generic/unistd.h``.
"""

from __future__ import annotations

import os

from .launching import NotStartedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2
AT_FDCWD, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x8000, 1, 4
OPEN_TREE, MOVE_MOUNT = 428, 429
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
FOLDER = "/image"
"""In the sandbox. Below it: ``lower``, the image; ``layer`` and ``memory``, where the job's layer may be; ``mounts``;
``root``."""


def enter(image: dict[str, Any]) -> None:
    """Raises ``NotStartedError`` where it cannot be done."""
    import ctypes
    import resource
    import warnings  # for os.execvpe

    from . import landlock

    assert resource and warnings and landlock
    libc = ctypes.CDLL(None, use_errno=True)

    def done(answer: int, what: str) -> int:
        if answer < 0:
            raise NotStartedError(f"{what}: {os.strerror(ctypes.get_errno())}")
        return answer

    os.umask(0o022)  # as in any container, for the job too
    done(libc.unshare(CLONE_NEWNS), "no mounts of its own")
    _lay_over(libc, ctypes.get_errno)
    trees = []
    for source, target, is_folder in image["mounts"]:
        flags = OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC
        trees.append((done(libc.syscall(OPEN_TREE, AT_FDCWD, source.encode(), flags), target), target, is_folder))
    os.chdir(f"{FOLDER}/root")
    done(libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "the image cannot be the root")
    done(libc.umount2(b".", MNT_DETACH), "this machine's files cannot be left")
    os.chdir("/")
    for tree, target, is_folder in trees:
        place = _mount_point(target, is_folder)
        done(libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, place.encode(), MOVE_MOUNT_F_EMPTY_PATH), target)
        os.close(tree)
    try:
        os.makedirs(image["directory"], exist_ok=True)  # noqa: PTH103
    except OSError as error:
        raise NotStartedError(f"the image's working directory: {error}") from None


def _lay_over(libc: Any, errno: Any) -> None:
    """On the disk; in memory where that file system cannot be the upper half of an overlay."""
    for layer in ("layer", "memory"):
        upper, work = f"{FOLDER}/{layer}/upper", f"{FOLDER}/{layer}/work"
        for folder in (upper, work):
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        os.chmod(upper, os.stat(f"{FOLDER}/lower").st_mode & 0o7777)  # noqa: PTH101, PTH116 - it is the job's "/"
        options = f"lowerdir={FOLDER}/lower,upperdir={upper},workdir={work},userxattr"
        target = f"{FOLDER}/root".encode()
        if libc.mount(b"overlay", target, b"overlay", MS_NOSUID | MS_NODEV, options.encode()) == 0:
            return
    raise NotStartedError(f"no layer of its own over the image (Linux 5.11 has it): {os.strerror(errno())}")


def _mount_point(target: str, is_folder: bool) -> str:
    """The folder or file at ``target``, made where the image has none; its links are followed first."""
    path = os.path.realpath(target)
    try:
        if is_folder:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    except OSError as error:
        raise NotStartedError(f"the image has no room for {target}: {error.strerror}") from None
    return path
