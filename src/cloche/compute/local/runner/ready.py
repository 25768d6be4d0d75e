"""The half inside of a process that stands by: process 1 of its namespace until the job is known.

It has an interpreter wait that becomes a Python program; for another program nothing else waits. The interpreter waits
without privileges, as a job runs. Process 1 keeps two of the namespace's own until it has bound the job's inputs where
the job wants them; then it drops them for good, before the job's first line runs. The namespace has a table of mounts
of its own for that: what it was given read-only stays so, and nothing it was not given is there.
"""

from __future__ import annotations

import marshal
import os
import select

from .launching import NotStartedError, drain, drop_privileges, launch, libc, read_sized, spawn, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PRIVILEGES = {"CAP_SETPCAP": 8, "CAP_SYS_ADMIN": 21}
"""What process 1 has while it stands by."""
CLONE_NEWNS, MS_BIND, MS_REC, MS_SLAVE = 0x20000, 0x1000, 0x4000, 0x80000


def stand_by(document: dict[str, Any], control: int, status: int, wake: int) -> int:
    """The pid of the job's process once it runs. Does not return where nobody wants it any more."""
    pid, tell = 0, -1
    if document["argv"]:
        _own_mounts()
        pid, tell = _waiting(document)
    os.write(status, b"S\n")
    _await(control, wake, pid)
    order = marshal.loads(read_sized(control) or os._exit(1))  # noqa: S302 - from our own runner
    if order["mounts"] and not pid:
        _own_mounts()
    for source, target in order["mounts"]:
        _bind(source, target)
    drop_privileges(held=PRIVILEGES.values())
    if pid:
        write_all(tell, order["interpreted"])
        os.close(tell)
    else:
        pid = spawn(order["program"])
    os.write(status, b"A\n")
    return pid


def _waiting(document: dict[str, Any]) -> tuple[int, int]:
    """The interpreter's pid, and the descriptor by which it is told what to do."""
    told, tell = os.pipe()
    os.set_inheritable(told, True)
    pid = launch({**document, "argv": [*document["argv"], str(told)]}, dies_with_parent=False, privileges=False)
    os.close(told)
    return pid, tell


def _await(control: int, wake: int, pid: int) -> None:
    while True:
        ready, _, _ = select.select([control, wake], [], [])
        drain(wake)
        if pid and os.waitpid(pid, os.WNOHANG)[0]:
            os._exit(1)
        if control in ready:
            return


def _own_mounts() -> None:
    import ctypes

    if libc().unshare(CLONE_NEWNS) != 0:
        raise NotStartedError(f"no mounts of its own: {os.strerror(ctypes.get_errno())}")


def _bind(source: str, target: str) -> None:
    import ctypes

    if libc().mount(source.encode(), target.encode(), None, MS_BIND, None) != 0:
        raise NotStartedError(f"{target}: {os.strerror(ctypes.get_errno())}")
