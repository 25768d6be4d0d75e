"""Which Python an environment is made with, and where ``uv`` is.

The locks install everywhere from 3.11 on, but AWS's library versions themselves have wheels for 3.11 and, mostly, 3.12.
So the first of these that the machine has is taken: the server's own when it is 3.11 or 3.12, one that ``uv`` finds
(it looks, it never downloads), the server's own whatever it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PREFERRED: Final = ("3.11", "3.12")
_OWN: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``tag`` tells builds apart that must not share a folder."""

    path: Path
    tag: str


def find_uv() -> Path | None:
    """The ``uv`` beside the running interpreter, else the one on ``PATH``."""
    beside = Path(sys.executable).with_name("uv")
    if beside.is_file():
        return beside
    found = shutil.which("uv")
    return Path(found) if found else None


def choose_interpreter(uv: Path) -> Interpreter:
    """See the module's text."""
    if _OWN not in PREFERRED:
        for version in PREFERRED:
            found = look_for(uv, version)
            if found is not None:
                return found
    return _running()


def look_for(uv: Path, version: str) -> Interpreter | None:
    """One of just that version (``3.11``), if the machine has it: the server's own rather than another."""
    if version == _OWN:
        return _running()
    command = [str(uv), "python", "find", "--no-python-downloads", "--no-project", "--system", version]
    told = {**build_environment(), "PATH": _path()}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=told)
    path = Path(answer.stdout.strip())
    return Interpreter(path, f"cpython-{version}") if answer.returncode == 0 and path.is_file() else None


def _running() -> Interpreter:
    base = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    return Interpreter(base, f"{sys.implementation.name}-{sys.version.split()[0]}")


def _path() -> str:
    """``PATH`` with pyenv's interpreters in the place of its shims: uv ends its search at a shim that does not lead to
    one, as those of versions that are installed but not chosen."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if Path(folder) != root / "shims"]
    return os.pathsep.join([*folders, *map(str, sorted(root.glob("versions/*/bin")))])


def build_environment() -> dict[str, str]:
    """The server's environment without what would point ``uv`` or Python at the server's own installation."""
    dropped = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT", "UV_PYTHON", "CONDA_PREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
