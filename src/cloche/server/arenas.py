"""How the C library keeps memory for threads."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

ARENAS: Final = 2
_M_ARENA_MAX: Final = -8
"""glibc's <malloc.h>."""


def share_arenas() -> None:
    """Let all threads allocate from a few arenas; call it before there are threads.

    glibc would give each of them one of its own (eight for each core), and what a large request once filled there is
    nobody else's any more: some ten MiB of a server that has been busy. Python's lock lets one thread at a time
    allocate anyway. Elsewhere than on glibc nothing is done.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)
