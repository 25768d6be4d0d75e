"""Out of reach of other jobs' abstract sockets.

A Unix socket in the abstract namespace has no file that a sandbox could leave out: who shares a network shares them.
Landlock can keep a process to those of its own (Linux 6.12 and later). Numbers: ``linux/landlock.h``.
"""

from __future__ import annotations

from .launching import libc

CREATE_RULESET, RESTRICT_SELF = 444, 446
VERSION_FLAG, SCOPE_ABSTRACT_UNIX_SOCKET = 1, 1
VERSION_THAT_SCOPES = 6


def version() -> int:
    """Of Landlock in this kernel; 0 without it."""
    return max(0, int(libc().syscall(CREATE_RULESET, None, 0, VERSION_FLAG)))


def keep_to_own_sockets() -> None:
    """For this process and all it starts; nothing where the kernel cannot. It may gain no privileges any more."""
    if version() < VERSION_THAT_SCOPES:
        return
    import struct

    rules = struct.pack("QQQ", 0, 0, SCOPE_ABSTRACT_UNIX_SOCKET)
    descriptor = libc().syscall(CREATE_RULESET, rules, len(rules), 0)
    if descriptor >= 0:
        libc().syscall(RESTRICT_SELF, descriptor, 0)
