"""Links and addresses of the network this process is in, made by the kernel's own messages.

``ip`` need not be there, and starting it would take longer than all that is done here. Numbers: ``linux/netlink.h``,
``linux/rtnetlink.h``, ``linux/if_link.h``, ``linux/veth.h``.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    import _socket as socket

NETLINK_ROUTE = 0
NLMSG_ERROR, RTM_NEWLINK, RTM_NEWADDR = 2, 16, 20
REQUEST, ACK, EXCLUSIVE, CREATE = 1, 4, 0x200, 0x400
IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFF_UP = 1


def make_bridge(name: str) -> None:
    """A switch, up. It forwards what comes from one of its ports to the others. Raises ``OSError``, as all here do."""
    _ask(RTM_NEWLINK, CREATE | EXCLUSIVE, _link() + _text(IFLA_IFNAME, name) + _kind("bridge"))


def make_cable(name: str, master: str, peer: str, network: int) -> None:
    """A cable from the bridge ``master`` into another network, which ``network`` is a descriptor of: there its end is
    called ``peer``, and is down."""
    far = _link(flags=0) + _text(IFLA_IFNAME, peer) + _number(IFLA_NET_NS_FD, network)
    about = _kind("veth", _attribute(VETH_INFO_PEER, far))
    near = _link() + _text(IFLA_IFNAME, name) + _number(IFLA_MASTER, socket.if_nametoindex(master))
    _ask(RTM_NEWLINK, CREATE | EXCLUSIVE, near + about)


def set_up(name: str) -> None:
    _ask(RTM_NEWLINK, 0, _link(socket.if_nametoindex(name)))


def add_address(name: str, address: str, prefix: int) -> None:
    packed = socket.inet_aton(address)
    head = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, socket.if_nametoindex(name))
    attributes = _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed)
    _ask(RTM_NEWADDR, CREATE | EXCLUSIVE, head + attributes)


def _link(index: int = 0, flags: int = IFF_UP) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, IFF_UP)


def _kind(name: str, data: bytes = b"") -> bytes:
    about = _text(IFLA_INFO_KIND, name) + (_attribute(IFLA_INFO_DATA, data) if data else b"")
    return _attribute(IFLA_LINKINFO, about)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("=I", number))


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _ask(kind: int, flags: int, payload: bytes) -> None:
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    try:
        kernel.send(struct.pack("=IHHII", 16 + len(payload), kind, REQUEST | ACK | flags, 1, 0) + payload)
        answer = kernel.recv(65_536)
    finally:
        kernel.close()
    _, answered, _, _, _ = struct.unpack_from("=IHHII", answer)
    number = -struct.unpack_from("=i", answer, 16)[0] if answered == NLMSG_ERROR else 0
    if number:
        raise OSError(number, os.strerror(number))
