"""Waiting for a pipe in a process that has thousands of files open: ``select`` knows descriptors up to 1,023 only."""

from __future__ import annotations

import select


def is_readable(descriptor: int, seconds: float) -> bool:
    """Whether there is something to read, or nothing more to come, within ``seconds``."""
    return _is_ready(descriptor, select.POLLIN, seconds)


def is_writable(descriptor: int, seconds: float) -> bool:
    """Whether something can be written, or nobody reads any more, within ``seconds``."""
    return _is_ready(descriptor, select.POLLOUT, seconds)


def _is_ready(descriptor: int, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(max(0.0, seconds) * 1000))
