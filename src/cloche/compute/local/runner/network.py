"""A network of a process's own, shared by all its hosts: a loopback interface, and no way to anything else.

A process on one host is given it by its sandbox. One on several hosts has as many sandboxes, and they must meet: so the
runner goes there first and they inherit it. Without the privilege to make a network it takes a user namespace for it,
in which it stays who it is.
"""

from __future__ import annotations

import os

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def go_apart() -> None:
    """Raises ``OSError`` where the system does not allow it."""
    import ctypes
    import fcntl
    import socket
    import struct

    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"a network for its hosts could not be made: {os.strerror(number)}")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack_from("16xH", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))
