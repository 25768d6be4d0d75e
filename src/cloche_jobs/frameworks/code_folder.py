"""Getting the user's code into its folder.

Source: ``files.py`` and ``entry_point.py`` of aws/sagemaker-training-toolkit. Bundles in S3 were fetched by the server
(``Layout.bundle``); a folder that already has something in it is left as it is, as the toolkit leaves it.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from cloche_jobs.contract.failure import PlatformError, UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.contract.unpacking import Limits, unpack

log = logging.getLogger(__name__)
LIMITS = Limits(bytes=5 * 1024**3, ratio=200, members=50_000)


def prepare_code(layout: Layout, submit_directory: str | None) -> Path:
    """The folder with the user's program, unpacked or copied if need be. Raises ``JobError``."""
    code = layout.code
    code.mkdir(parents=True, exist_ok=True)
    if any(code.iterdir()) or submit_directory is None:
        return code
    if submit_directory.startswith("s3://"):
        if not layout.bundle.is_file():
            raise PlatformError(f"the bundle {submit_directory} was not placed before the job started")
        unpack(layout.bundle, code, limits=LIMITS, label=submit_directory.rpartition("/")[2])
        return code
    if "://" in submit_directory:
        raise UserError(f"sagemaker_submit_directory {submit_directory} is neither an S3 address nor a path")
    return _from_path(Path(submit_directory), code)


def _from_path(source: Path, code: Path) -> Path:
    if source.is_dir():
        if source.resolve() != code.resolve():
            shutil.copytree(source, code, dirs_exist_ok=True, symlinks=True)
    elif source.is_file():
        if source.name.endswith((".tar.gz", ".tgz", ".tar")):
            unpack(source, code, limits=LIMITS)
        else:
            shutil.copy2(source, code)
    else:
        raise UserError(f"sagemaker_submit_directory {source} is not there")
    return code
