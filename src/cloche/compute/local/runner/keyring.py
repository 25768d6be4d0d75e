"""Keys that the kernel holds: a session's keyring is handed down to all it starts, whatever namespaces they are in.

Whoever logs in has one, with Kerberos tickets in it, say; a service has one, too. Who can reach it can read its keys,
and hand others over. So each sandbox has an empty one of its own. Numbers: ``linux/keyctl.h``,
``asm-generic/unistd.h`` and ``asm/unistd_64.h``.
"""

from __future__ import annotations

import os

from .launching import NotStartedError, libc

KEYCTL = {"x86_64": 250, "aarch64": 219}
JOIN_SESSION_KEYRING = 1
_WITHOUT = (1, 38)
"""``EPERM`` where somebody around all of this forbids the call, to the job as well then; ``ENOSYS``: there are none."""


def have_own_keyring() -> None:
    """This process and all it starts. Raises ``NotStartedError``."""
    import ctypes

    number = KEYCTL.get(os.uname().machine)
    if number is None or libc().syscall(number, JOIN_SESSION_KEYRING, None) >= 0 or ctypes.get_errno() in _WITHOUT:
        return
    raise NotStartedError(f"no keyring of its own: {os.strerror(ctypes.get_errno())}")
