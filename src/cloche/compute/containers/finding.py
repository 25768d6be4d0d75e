"""Which of the programs that run containers is wanted, and whether it can."""

from __future__ import annotations

import os
from typing import Final

from cloche.compute.containers import docker, podman
from cloche.compute.containers.program import ContainerProgram
from cloche.foundation.errors import Invalid

NAMES: Final = ("docker", "podman")


def found(name: str) -> ContainerProgram:
    """The program of that name, tried. Raises ``Invalid`` with why there is none."""
    if os.geteuid() != 0:
        raise Invalid(
            f"{name}'s containers run as users that you are not: what they leave could neither be read nor removed. "
            "Start Cloche as root for it; without, images run in bubblewrap",
            field="containers",
        )
    return docker.found() if name == "docker" else podman.found()
