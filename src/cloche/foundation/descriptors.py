"""Waiting for a pipe in a process that has thousands of files open: ``select`` knows descriptors up to 1,023 only."""

from __future__ import annotations

import select


def is_readable(descriptor: int, seconds: float) -> bool:
    """Whether there is something to read, or nothing more to come, within ``seconds``."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
