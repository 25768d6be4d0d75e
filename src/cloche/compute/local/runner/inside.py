"""Process 1 of a job's namespace.

A namespace's first process is told of no signal that it does not handle, cannot tell how its own end came about, and
takes all others with it when it ends. So this one waits there, starts the job as its child, passes SIGTERM on to all of
the namespace, and reports truly how the job ended, through two pipes to the half outside. The job may not look into it:
who traces this process could stop it, and the job would never end; its pipes would be open to whoever finds them.
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import sys

from .keyring import have_own_keyring
from .launching import (
    PR_SET_DUMPABLE,
    NotStartedError,
    drain,
    drop_privileges,
    ending,
    launch,
    prctl,
    read_sized,
    wake_pipe,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

CAP_KILL = 5
"""To pass signals on to whoever the job has become."""


def main() -> None:
    """``CONTROL STATUS``, two descriptors."""
    begin(int(sys.argv[1]), int(sys.argv[2]))


def begin(control: int, status: int) -> None:
    """Be process 1, to the end of this process."""
    gc.disable()
    init(control, status)
    os._exit(0)  # nothing is left to do: whoever waits for this process need not wait for the interpreter's own end


def init(control: int, status: int) -> None:
    """Process 1: start the job, pass on SIGTERM, tell how it ended, and take the namespace along."""
    os.set_inheritable(control, False)
    os.set_inheritable(status, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    wake = wake_pipe()
    document = marshal.loads(read_sized(control) or os._exit(1))  # noqa: S302 - from our own runner
    try:
        pid = _begun(document, control, status, wake)
    except (NotStartedError, OSError) as error:
        os.write(status, b"N" + str(error).encode()[:4096])
        return
    prctl(PR_SET_DUMPABLE, 0)  # not before: what becomes the job would begin so, too
    while True:
        ready, _, _ = select.select([wake, control], [], [])
        if control in ready:
            if not os.read(control, 1):
                return
            _signal_all(document["image"]["stop_signal"] if document["image"] else signal.SIGTERM)
        drain(wake)
        while True:
            try:
                ended, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if ended == 0:
                break
            if ended == pid:
                os.write(status, "X{} {}\n".format(*ending(code)).encode())
                return


def _begun(document: dict[str, Any], control: int, status: int, wake: int) -> int:
    """The pid of the job, or of who has become it. Raises ``NotStartedError``, ``OSError``."""
    if document["user"]:
        os.close(document["user"]["namespace"])  # bubblewrap hands it down
    have_own_keyring()
    if document["inlet"]:
        from .inlet import open_inlet

        open_inlet(*document["inlet"])
    if document["image"]:
        from .image import enter

        enter(document["image"])
    for folder, device, inode in document["folders"]:
        found = os.stat(folder)  # noqa: PTH116 - lean
        if (found.st_dev, found.st_ino) != (device, inode):
            raise NotStartedError(f"{folder} is another folder than the one that was looked at")
    if document["shares_network"]:
        from .landlock import keep_to_own_sockets

        keep_to_own_sockets()
    if document["stands_by"]:
        from .ready import stand_by

        return stand_by(document, control, status, wake)
    pid = launch(document, dies_with_parent=False, privileges=not document["image"])
    if document["image"]:
        drop_privileges([CAP_KILL] if document["user"] else ())
    os.write(status, b"S\n")
    return pid


def _signal_all(number: int) -> None:
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass
