"""Each client in an environment of its own, as a user has it: made once from its lock, kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "requirements" / "clients"


def cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cloche" / "clients"


def client_python(name: str) -> Path:
    """The interpreter of client ``name`` (a lock in ``requirements/clients``), its environment built if need be."""
    lock = LOCKS / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = cache() / f"{name}-{digest}"
    python = home / "bin" / "python"
    if (home / ".ready").exists():
        return python
    cache().mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache()))
    try:
        uv = [str(Path(sys.executable).with_name("uv"))]
        subprocess.run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(building)], check=True)
        install = [*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(building / "bin" / "python")]
        subprocess.run([*install, str(lock)], check=True)
        (building / ".ready").touch()
        shutil.rmtree(home, ignore_errors=True)
        building.rename(home)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return python


if __name__ == "__main__":
    for client in sys.argv[1:]:
        print(client_python(client))
