"""A job's own virtual environment.

Programs install packages as they like (the SDK's ``runproc.sh`` calls ``pip install``), but an image's environment is
shared by all jobs and read-only. So each job has one of its own that stands on the image's: packages go into the job's,
and win; what the image has counts as installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloche_jobs.contract.layout import Layout

ENVIRONMENT = ".environment"
_PROGRAM = "import sys\nfrom {module} import main\nsys.exit(main(sys.argv[1:]))\n"
_PIP = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


def make_environment(layout: Layout, python: Path, root: Path, programs: Sequence[tuple[str, str]] = ()) -> Path:
    """Make the job's own environment on that of ``python``; the folder of its programs as the job sees it, which finds
    ``layout`` at ``root``. An interpreter that is in no virtual environment is taken as it is. ``programs`` are the
    image's own: (name, module whose ``main`` is run)."""
    image = python.parent.parent
    packages = next((image / "lib").glob("python3*/site-packages"), None)
    if packages is None or not (image / "pyvenv.cfg").is_file():
        return python.parent
    own = layout.root / ENVIRONMENT
    folder, own_packages = own / "bin", own / packages.relative_to(image)
    folder.mkdir(parents=True)
    own_packages.mkdir(parents=True)
    (own / "pyvenv.cfg").write_bytes((image / "pyvenv.cfg").read_bytes())
    (own_packages / "image.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    for name in ("python", "python3", packages.parent.name):
        (folder / name).symlink_to(python)
    seen = root / ENVIRONMENT / "bin"
    texts = dict.fromkeys(("pip", "pip3"), _PIP) | {name: _PROGRAM.format(module=module) for name, module in programs}
    for name, text in texts.items():
        (folder / name).write_text(f"#!{seen / 'python3'}\n{text}")
        (folder / name).chmod(0o755)
    return seen
