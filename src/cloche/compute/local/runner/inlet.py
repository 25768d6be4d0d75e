"""The way in to a program that listens on a port of its own network: a Unix socket outside leads there.

A container of a model listens on port 8080, as any other does, so each has a network of its own, in which nobody else
could reach it. This process stands in that network and passes on what comes at the socket: bytes, as they are, one
connection there for each here. It sees the files of the sandbox that the image's root has replaced, and nobody inside
sees it: it cannot be looked into, and has no privileges.
"""

from __future__ import annotations

import os

from .launching import PR_SET_DUMPABLE, drop_privileges, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
else:
    import _signal as signal

PIECE_BYTES = 1 << 18
CONNECT_SECONDS = 5.0


def open_inlet(path: str, port: int) -> None:
    """Listen at ``path``; returns at once, while a process of its own passes on. Raises ``OSError``."""
    listener = listener_at(path)
    if os.fork():
        listener.close()
        return
    try:
        pass_on(listener, port)
    finally:
        os._exit(1)


def listener_at(path: str) -> socket.socket:
    import socket

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1024)
    return listener


def pass_on(listener: socket.socket, port: int) -> None:
    """Until the end of this process, which is no use for anything else."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the program's notice: what it still answers comes through here
        signal.set_wakeup_fd(-1)
        kept = listener.fileno()
        os.closerange(3, kept)
        os.closerange(kept + 1, 1 << 16)
        prctl(PR_SET_DUMPABLE, 0)
        drop_privileges()
        _pass_on(listener, port)
    except BaseException as error:
        os.write(2, f"[cloche] nobody passes requests on any more: {error!r}\n".encode("utf-8", "replace"))


class Side:
    """One end of a connection that is passed on, and what it has not yet taken."""

    __slots__ = ("ended", "other", "pending", "socket")

    def __init__(self, socket: socket.socket) -> None:
        self.socket = socket
        self.pending = b""
        self.ended = False
        self.other = self


def _pass_on(listener: socket.socket, port: int) -> None:
    import select

    poll = select.epoll()
    listener.setblocking(False)
    poll.register(listener.fileno(), select.EPOLLIN)
    sides: dict[int, Side] = {}

    def watch(side: Side) -> None:
        """For room as long as there is something to give, and for more as long as the other can take it."""
        events = (select.EPOLLOUT if side.pending else 0) | (0 if side.ended or side.other.pending else select.EPOLLIN)
        poll.modify(side.socket.fileno(), events)

    def close(side: Side) -> None:
        for each in (side, side.other):
            sides.pop(each.socket.fileno(), None)
            each.socket.close()

    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                for new in _accepted(listener, port):
                    sides[new.socket.fileno()] = new
                    poll.register(new.socket.fileno(), select.EPOLLIN)
                continue
            side = sides.get(descriptor)
            if side is None:
                continue
            try:
                _give(side)
                _take(side)
            except OSError:
                close(side)
                continue
            if (side.ended and not side.other.pending) or (side.other.ended and not side.pending):
                close(side)
                continue
            watch(side)
            watch(side.other)


def _accepted(listener: socket.socket, port: int) -> tuple[Side, ...]:
    """Both sides of a new connection; none where nobody listens inside."""
    import socket

    try:
        here = Side(listener.accept()[0])
    except OSError:
        return ()
    try:
        there = Side(socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS))
    except OSError:
        here.socket.close()
        return ()
    there.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    here.other, there.other = there, here
    for side in (here, there):
        side.socket.setblocking(False)
    return here, there


def _give(side: Side) -> None:
    """What is pending to it, as far as it takes it."""
    if side.pending:
        try:
            side.pending = side.pending[side.socket.send(side.pending) :]
        except BlockingIOError:
            pass


def _take(side: Side) -> None:
    """What it has to say, to the other; no more than that can take."""
    if side.ended or side.other.pending:
        return
    try:
        data = side.socket.recv(PIECE_BYTES)
    except BlockingIOError:
        return
    if data:
        side.other.pending = data
        _give(side.other)
    else:
        side.ended = True
