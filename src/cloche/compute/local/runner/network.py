"""Networks of a process's own: its hosts reach each other, and nothing else.

A process on one host is given its network by its sandbox. One on several hosts has as many sandboxes, and they must
meet, so the runner makes what they are in before it starts each. Best is a network for every host, with an ``eth0``
and an address, joined by a bridge in one that nobody else is in: two hosts may listen on the same port. Where the
system makes no bridges or cables, all hosts share one network, whose loopback has all their addresses. All of it goes
with the last process that is in it.

Without the privilege to make a network the runner takes a user namespace for it, in which it stays who it is.
"""

from __future__ import annotations

import os

from .netlink import add_address, make_bridge, make_cable, set_up

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PREFIX = 24
"""256 addresses: more than a process has hosts."""


class Networks:
    """Makes the first network and goes into it. Raises ``OSError`` where the system does not allow it, as all here."""

    def __init__(self, addresses: list[str], *, shared: bool) -> None:
        import ctypes

        self._libc = ctypes.CDLL(None, use_errno=True)
        self._addresses = addresses
        self._shared = shared
        self._go_apart()
        set_up("lo")
        _open_ports()
        self._middle = -1
        if shared:
            for address in addresses:
                add_address("lo", address, 32)
        else:
            make_bridge("hosts")
            self._middle = _here()

    def enter(self, number: int, place: int = -1) -> None:
        """Be where that host (from 0 on) is to be started; only once for each. ``place`` is a network that is there
        already, which becomes the host's and is closed here."""
        if self._shared:
            return
        if place < 0:
            self._unshare(CLONE_NEWNET)
            set_up("lo")
            place = _here()
        self._go(self._middle)
        make_cable(f"host{number}", "hosts", "eth0", place)
        self._go(place)
        os.close(place)
        add_address("eth0", self._addresses[number], PREFIX)
        set_up("eth0")
        _open_ports()

    def leave(self) -> None:
        """Be in the first again."""
        if not self._shared:
            self._go(self._middle)

    def _go_apart(self) -> None:
        uid, gid = os.geteuid(), os.getegid()
        try:
            self._unshare(CLONE_NEWNET)
        except OSError:
            self._unshare(CLONE_NEWUSER | CLONE_NEWNET)
            for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                    file.write(text)

    def _unshare(self, flags: int) -> None:
        self._check(self._libc.unshare(flags))

    def _go(self, network: int) -> None:
        self._check(self._libc.setns(network, CLONE_NEWNET))

    def _check(self, answer: int) -> None:
        import ctypes

        if answer != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"a network for its hosts could not be made: {os.strerror(number)}")


def _open_ports() -> None:
    """Whoever is in this network may listen on each of its ports: nobody else is, and in AWS's containers he may."""
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as file:  # noqa: PTH123
            file.write("0")
    except OSError:
        pass  # then those below 1024 are refused


def _here() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def attempt(*, shared: bool) -> None:
    """Make networks for two hosts, to see whether it can be done here."""
    networks = Networks(["10.0.0.1", "10.0.0.2"], shared=shared)
    for number in range(2):
        networks.enter(number)
    networks.leave()
