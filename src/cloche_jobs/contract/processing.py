"""What a processing job finds of itself: two files below ``config``, and an environment of its own.

Source of the files: docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html ("How Amazon
SageMaker Processing Configures Your Processing Container").

Programs install packages as they like (the SDK's ``runproc.sh`` calls ``pip install``), but an image's environment is
shared by all jobs and read-only. So each job has one of its own that stands on the image's: packages go into the job's,
and win; what the image has counts as installed.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloche_jobs.contract.failure import read_start
from cloche_jobs.contract.layout import Layout

ENVIRONMENT = ".environment"
EXIT_MESSAGE_BYTES_MAX = 1_024
"""docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html: the first KB of ``output/message``."""
_PIP = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
_PROGRAM = "import sys\nfrom {module} import main\nsys.exit(main(sys.argv[1:]))\n"


def make(layout: Layout, configuration: Mapping[str, Any], current: str, hosts: Sequence[str]) -> None:
    """Make the folders a job may rely on, and tell it what was asked for and who takes part."""
    config = layout.root / "config"
    config.mkdir(parents=True)
    layout.output.mkdir()
    (layout.root / "processing").mkdir()
    (config / "processingjobconfig.json").write_text(json.dumps(dict(configuration)), encoding="utf-8")
    resources = {"current_host": current, "hosts": sorted(hosts)}
    (config / "resourceconfig.json").write_text(json.dumps(resources), encoding="utf-8")


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


def read_exit_message(path: Path) -> str | None:
    """The first KB of what a job left, never through a link; ``None`` where there is nothing. Raises ``ValueError``
    for what is not UTF-8."""
    data = read_start(path, EXIT_MESSAGE_BYTES_MAX + 1)
    is_all = len(data) <= EXIT_MESSAGE_BYTES_MAX  # else the last character may be cut
    return codecs.getincrementaldecoder("utf-8")().decode(data[:EXIT_MESSAGE_BYTES_MAX], is_all) or None
