"""``amazon_sagemaker_scheduler``: what AWS's distribution image runs a notebook job with.

The work is AWS's own driver's (``sagemaker-headless-execution-driver``): an init script, papermill with the job's
hyperparameters, the notebook and its log among the outputs. Its entry point hands the job's files to the image's user
by ``sudo`` where it is not root; here they are that user's already, so its script is begun at once. That links the
image's home to the notebook's folder; a sandbox has no ``/home``, so the link lies in root's scratch folder.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

DRIVER: Final = "sagemaker_headless_execution_driver"
ROOT: Final = "/opt/ml"
"""The driver knows no other."""
HOME: Final = "home/sagemaker-user"
HOME_HERE: Final = "root/sagemaker-user"


def main(arguments: Sequence[str]) -> NoReturn:
    here = os.environ.get("CLOCHE_ML_ROOT", ROOT)
    if here != ROOT:
        raise SystemExit(f"Notebook jobs write to {ROOT}, and without a sandbox this one has {here}.")
    found = importlib.util.find_spec(DRIVER)
    if found is None or found.origin is None:
        raise SystemExit(f"{DRIVER} is not in this image.")
    script = (Path(found.origin).parent / "scripts" / "headless_execution.sh").read_text(encoding="utf-8")
    sys.stdout.flush()
    os.execv("/bin/bash", ["/bin/bash", "-c", script.replace(HOME, HOME_HERE), *arguments])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
