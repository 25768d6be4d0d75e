"""How many files and connections one server may hold open: as many as the system lets it have."""

from __future__ import annotations

import resource
from typing import Final

from cloche.foundation.limits import CONNECTIONS_MAX

OPEN_FILES_WANTED: Final = 65_536


def allow_open_files() -> int:
    """Raise this process's soft limit as far as its hard one allows (shells often give 1,024); the limit now.

    With less, a few hundred idle connections would keep everybody else out.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections_max() -> int:
    """How many connections go with that: half of the files at the most, the rest is for what the server itself opens.

    Beyond its limit a process cannot even accept a newcomer in order to make room for it.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft // 2)
