"""``python -m cloche_jobs.entry train|serve``: find what the image stands for, run it, tell how it ended.

The image comes in ``CLOCHE_IMAGE``. A request that names a program (``sagemaker_program``) runs that script, in a
built-in image too, as AWS's XGBoost container does. To ``xgboost:1`` an endpoint's program says nothing: 0.72 was an
algorithm only, and scripts came with its successors (docs.aws.amazon.com/sagemaker/latest/dg/xgboost-72.html); the
SDK's ``ModelBuilder`` names one whatever the image.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from cloche_jobs import catalog
from cloche_jobs.contract import environment, sources
from cloche_jobs.contract.configuration import read_hyperparameters
from cloche_jobs.contract.failure import (
    EXIT_FAILURE,
    EXIT_SUCCESS,
    AlgorithmError,
    JobError,
    PlatformError,
    UserError,
    write_failure,
)
from cloche_jobs.contract.layout import Layout

log = logging.getLogger("cloche_jobs")
_SCRIPT_SERVING = "cloche_jobs.frameworks.xgboost.serve:main"


def main(arguments: list[str]) -> int:
    """The process's exit code; ``arguments`` are those of the command line without its name."""
    logging.basicConfig(
        level=_level(),
        format="[%(asctime)s:%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d:%H:%M:%S",
        stream=sys.stderr,
    )
    layout = Layout.here()
    try:
        verb = arguments[0] if arguments else ""
        if verb not in ("train", "serve"):
            raise PlatformError(f"unknown command {verb!r}: train or serve")
        image = _image()
        entry = _train_entry(image, layout) if verb == "train" else _serve_entry(image)
        if not entry:
            raise UserError(f"the image {image.key} does not {verb}")
        log.info("This image: %s", image.said)
        _load(entry)(layout)
    except JobError as error:
        log.error("%s", error.message, exc_info=error.__cause__)
        write_failure(layout.failure, error)
        return EXIT_FAILURE
    except MemoryError as error:
        log.exception("out of memory")
        write_failure(layout.failure, AlgorithmError(f"out of memory {error}".strip()))
        return EXIT_FAILURE
    except Exception as error:
        log.exception("unexpected failure")
        write_failure(layout.failure, AlgorithmError(f"{type(error).__name__}: {error}"))
        return EXIT_FAILURE
    return EXIT_SUCCESS


def _level() -> int:
    level = os.environ.get("SAGEMAKER_CONTAINER_LOG_LEVEL", "")
    return int(level) if level.isdigit() else logging.INFO


def _image() -> catalog.Image:
    try:
        return catalog.by_key(os.environ.get(environment.IMAGE, ""))
    except catalog.ImageUnknown as error:
        raise PlatformError(str(error)) from error


def _train_entry(image: catalog.Image, layout: Layout) -> str:
    hyperparameters = {name: str(value) for name, value in read_hyperparameters(layout).items()}
    return image.training_entry(hyperparameters, os.environ)


def _serve_entry(image: catalog.Image) -> str:
    takes_scripts = image.mode is catalog.Mode.BUILT_IN and image.name != "xgboost"
    return _SCRIPT_SERVING if takes_scripts and sources.program({}, os.environ) else image.serve


def _load(name: str) -> Callable[[Layout], Any]:
    module, _, function = name.partition(":")
    loaded: Callable[[Layout], Any] = getattr(import_module(module), function)
    return loaded


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code != EXIT_SUCCESS:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # a library that is torn down in the middle of its work may crash, and hide the code
    sys.exit(code)
