"""The users that an image's programs may be: as many as an image counts on, where this machine lets them be had.

Root within is whoever runs Cloche. The others are numbers of this machine's that nobody has: those from ``FIRST`` on
are of no use to anything else (systemd.io/UIDS-GIDS), so no file of anybody's is theirs. All jobs' are the same
numbers; jobs see neither each other's files nor processes. Only root may give itself such numbers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Final

from cloche.compute.local import sandbox as box

FIRST: Final = 1_879_048_192
COUNT: Final = 65_536
"""What Docker and Podman give an image, and what distributions count on."""


@dataclass(frozen=True, slots=True)
class Users:
    """Numbers from 1 on within are those from ``first + 1`` on outside."""

    first: int = FIRST
    count: int = COUNT

    @property
    def lines(self) -> tuple[str, ...]:
        """Of a map of users, or of groups."""
        return (f"0 {os.geteuid()} 1", f"1 {self.first + 1} {self.count - 1}")


@cache
def many() -> Users | None:
    """Tried once; ``None``: an image has one user here."""
    users = Users()
    if os.geteuid() != 0 or box.users() != box.USERS[0]:
        return None
    return users if box.attempted("users", f"{users.lines!r}") else None
