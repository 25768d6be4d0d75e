"""Where runners are born: a process that has loaded all of a runner, and forks one for whoever asks.

Starting an interpreter for each of them would take longer than everything else a runner does. The server starts one
nursery and holds the other end of ``CHANNEL``; a request is what the runner is to be (``run`` or ``stand-by``), its
folder, and two descriptors that become its input and output. The answer is its pid. When the server has gone, so has
the nursery; its children live on, and whoever asks for its parent sees that nobody listens any more.
"""

from __future__ import annotations

import gc
import os
import resource  # noqa: F401 - as all that has no other use here, so that no runner has to load it
import sys
import warnings  # noqa: F401 - for os.execvpe

from . import enclosing, inside, landlock, ready, standing_by  # noqa: F401
from .outside import begin, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
else:
    import _signal as signal
    import _socket as socket

CHANNEL = 0
MESSAGE_BYTES_MAX = 8192
INT_BYTES = 4


def main() -> None:
    serve()
    os._exit(0)


def serve() -> None:
    """Until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here wants to know how they end
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's, meant for the server
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, CHANNEL)
    identity(os.getpid())  # its boot is every runner's
    gc.disable()  # a runner makes little, and what it looks at it would have to copy
    gc.freeze()
    while True:
        message, passed, _, _ = channel.recvmsg(MESSAGE_BYTES_MAX, socket.CMSG_SPACE(2 * INT_BYTES))
        descriptors = [each for _, _, data in passed for each in _integers(data)]
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            _be(message, descriptors)
        for each in descriptors:
            os.close(each)
        channel.sendall(b"%d\n" % pid)


def _integers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + INT_BYTES], sys.byteorder) for at in range(0, len(data), INT_BYTES)]


def _be(message: bytes, descriptors: list[int]) -> None:
    """A runner, from now on and to its end."""
    what, _, folder = os.fsdecode(message).partition("\0")
    try:
        os.chdir(folder)  # what goes wrong is told there, by whichever name it has then
    except OSError:
        os._exit(1)
    try:
        for number, each in enumerate(descriptors):
            os.dup2(each, number)
        os.closerange(3, max(descriptors) + 1)
        begin(what, folder)
        os._exit(0)
    except BaseException:
        os.dup2(os.open("trouble", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)
