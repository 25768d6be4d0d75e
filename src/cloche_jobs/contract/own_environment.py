"""A job's own virtual environment.

Programs install packages as they like (the SDK's ``runproc.sh`` calls ``pip install``), but an image's environment is
shared by all jobs and read-only. So each job has one of its own that stands on the image's: packages go into the job's,
and win; what the image has counts as installed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from cloche_jobs.contract.layout import Layout

ENVIRONMENT = ".environment"
_PROGRAM = "import runpy\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
_PIP = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


def make_environment(layout: Layout, python: Path, root: Path, programs: Sequence[tuple[str, str]] = ()) -> Path:
    """Make the job's own environment on that of ``python``; the folder of its programs as the job sees it, which finds
    ``layout`` at ``root``. An interpreter that is in no virtual environment is taken as it is. ``programs`` are the
    image's own, (name, module that is run), and those of its libraries that run a user's script: what the image's
    environment has of that name would not see what the job has installed."""
    packages = _packages(python)
    if packages is None:
        return python.parent
    own = layout.root / ENVIRONMENT
    folder, own_packages = f"{own}/bin", f"{own}/{packages.relative_to(python.parent.parent)}"
    os.makedirs(folder)  # noqa: PTH103 - every small job pays for this
    os.makedirs(own_packages)  # noqa: PTH103
    for name in ("python", "python3", packages.parent.name):
        os.symlink(python, f"{folder}/{name}")  # noqa: PTH211
    _write(f"{own}/pyvenv.cfg", (python.parent.parent / "pyvenv.cfg").read_text())
    _write(f"{own_packages}/image.pth", f"import site; site.addsitedir({str(packages)!r})\n")
    seen = root / ENVIRONMENT / "bin"
    texts = dict.fromkeys(("pip", "pip3"), _PIP) | {name: _PROGRAM.format(module=module) for name, module in programs}
    for name, text in texts.items():
        _write(f"{folder}/{name}", f"#!{seen}/python3\n{text}", 0o755)
    return seen


@cache
def _packages(python: Path) -> Path | None:
    """Where its virtual environment has its packages; ``None`` if it is in none."""
    image = python.parent.parent
    found = next((image / "lib").glob("python3*/site-packages"), None)
    return found if (image / "pyvenv.cfg").is_file() else None


def _write(path: str, text: str, mode: int = 0o644) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(descriptor, mode)
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
