"""Script-mode bundles: which one a request names.

The SDK packs the user's folder as ``sourcedir.tar.gz``, uploads it, and names it in the hyperparameter
``sagemaker_submit_directory`` (training; JSON-quoted by SDK v2, bare by v3's tuner) or in the variable
``SAGEMAKER_SUBMIT_DIRECTORY`` (serving). Source: ``params.py`` of aws/sagemaker-training-toolkit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

PROGRAM = "sagemaker_program"
SCRIPT = "cloche_jobs.frameworks.script:main"
"""Entry point that runs a user's script."""
SUBMIT_DIRECTORY = "sagemaker_submit_directory"


def unquoted(value: str) -> str:
    """A hyperparameter that should be text: taken out of its JSON quotes when it has them."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            decoded = json.loads(value)
        except ValueError:
            return value
        return decoded if isinstance(decoded, str) else value
    return value


def program(hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """The user's entry point, or ``None`` when the image's own algorithm is to run."""
    value = environment.get(PROGRAM.upper()) or unquoted(hyperparameters.get(PROGRAM, ""))
    return value or None


def submit_directory(hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """Where the user's code is: an ``s3://`` address, a folder, or ``None``."""
    value = unquoted(hyperparameters.get(SUBMIT_DIRECTORY, "")) or environment.get(SUBMIT_DIRECTORY.upper())
    return value or None


def bundle_uri(hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """The ``s3://`` object that the server must place at ``Layout.bundle`` before the job starts, if any."""
    address = submit_directory(hyperparameters, environment)
    return address if address is not None and address.startswith("s3://") else None
