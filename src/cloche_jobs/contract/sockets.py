"""The way to a model server's socket, from outside its sandbox.

The folder the socket lies in is the model's to write: it may put a link in its place, which would lead whoever asks,
from outside, to somebody else's server. So the socket is held first, without following links, and asked for by the
descriptor. Where the system cannot do that (other than Linux), the path is all there is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def way_to(path: str) -> Iterator[str]:
    """An address to connect to, good inside the ``with``. Raises ``OSError``; ``ConnectionRefusedError`` for what is
    no socket."""
    if not hasattr(os, "O_PATH"):
        yield path
        return
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(held).st_mode):
            raise ConnectionRefusedError(f"{path} is no socket")
        yield f"/proc/self/fd/{held}"
    finally:
        os.close(held)
