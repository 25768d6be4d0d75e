"""Where torch comes from: builds without GPU code, which the registry does not have for Linux.

A machine may hold them itself, in a place that its pip is told of (``find-links``), which uv does not read. Elsewhere
uv is told to take PyTorch's own index of CPU builds, which it knows. Hashes stand in the lock either way.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from cloche.compute.images.interpreter import build_environment
from cloche.compute.packages import pip_configuration

FROM_PYTORCH: Final = ("--torch-backend", "cpu")


def options(uv: Path, python: str, lock: Path) -> tuple[str, ...]:
    """What ``uv`` is to be told so that it finds what ``lock`` names, for the environment of ``python``."""
    places = pip_configuration.read(os.environ).get("find-links", ())
    links = tuple(word for place in places for word in ("--find-links", place))
    if not links:
        return FROM_PYTORCH
    command = [str(uv), "pip", "install", "--dry-run", "--no-index", "--no-deps", "--require-hashes"]
    command += [*links, "--python", python, "--requirement", str(lock)]
    found = subprocess.run(command, env=build_environment(), capture_output=True, check=False)
    return links if found.returncode == 0 else FROM_PYTORCH
