"""Where Java is on this machine, and what a job in a sandbox needs to see of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cloche.compute.runtime import Mount

NEEDED = "Spark needs Java, and there is none on this machine: install Java 17, or start Cloche with JAVA_HOME set."


def java_home() -> Path | None:
    """The server's ``JAVA_HOME`` if Java is there, else the Java on its path."""
    named = os.environ.get("JAVA_HOME")
    if named and (Path(named) / "bin" / "java").is_file():
        return Path(named).resolve()
    found = shutil.which("java")
    return Path(found).resolve().parent.parent if found else None


def java_mounts(home: Path) -> tuple[Mount, ...]:
    """Java itself, and its settings, which distributions keep in ``/etc``."""
    settings = [path for path in Path("/etc").glob("java*") if path.is_dir()]
    return tuple(Mount(path, str(path)) for path in (home, *settings) if not path.is_relative_to("/usr"))
