"""A user namespace with many users, for an image that has more than one.

Bubblewrap makes namespaces with one user. So this one is made before, by a process that ends once it is: root within is
whoever runs Cloche, the others are numbers of this machine's that nobody has. No further namespace can be made in it:
that bound is of the namespace itself, and the job lacks what it takes to raise it.
"""

from __future__ import annotations

import os

from .launching import read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE_NEWUSER = 0x10000000


def namespace(lines: Sequence[str]) -> int:
    """A descriptor of a new one, inheritable. ``lines`` map users and groups alike (user_namespaces(7)). Raises
    ``OSError``."""
    told, tell = os.pipe()
    heard, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for each in (told, say):
                os.close(each)
            _be_in_one(tell, heard)
        finally:
            os._exit(1)
    for each in (tell, heard):
        os.close(each)
    try:
        _step(told)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w") as file:  # noqa: PTH123
                file.write("\n".join(lines))
        os.write(say, b"+")
        _step(told)
        descriptor = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
        os.set_inheritable(descriptor, True)
        return descriptor
    finally:
        os.close(say)
        read_all(told)
        os.waitpid(pid, 0)


def _be_in_one(tell: int, heard: int) -> None:
    import ctypes

    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
        return
    os.write(tell, b"+")
    if os.read(heard, 1):
        with open("/proc/sys/user/max_user_namespaces", "w") as file:  # noqa: PTH123
            file.write("0")
        os.write(tell, b"+")
        os.read(heard, 1)


def _step(told: int) -> None:
    if not os.read(told, 1):
        raise OSError("a namespace with many users could not be made")


def attempt(lines: Sequence[str]) -> None:
    """Make one, to see whether it can be done here."""
    os.close(namespace(lines))
