"""Where a processing job's inputs and outputs lie in its container, with the rules between them.

The rule of the beginning: docs.aws.amazon.com/sagemaker/latest/dg/byoc-input-and-output.html. That two inputs may not
share a path: aws/sagemaker-python-sdk#4939; nor an input and an output: aws/sagemaker-python-sdk#1950. AWS's words are
not known (the first of these answers has none); these are Cloche's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from cloche.engines.processing import Input, Output
from cloche.foundation.errors import Invalid

START: Final = PurePosixPath("/opt/ml/processing")


def plan_local_path(given: str | None, where: str) -> str:
    """The path without what says nothing (``//``, ``/.``, a slash at its end). Raises ``Invalid``."""
    if not given:
        raise Invalid(f"{where}.LocalPath is required when AppManaged is false.", field="LocalPath")
    path = PurePosixPath(given)
    parts = path.parts
    if START not in path.parents or ".." in parts or any(ord(each) < 32 or len(each) > 255 for each in given):
        raise Invalid(f"{where}.LocalPath must begin with {START}/ and stay there: {given[:200]}", field="LocalPath")
    return str(path)


def check_apart(inputs: Sequence[Input], outputs: Sequence[Output]) -> None:
    """Raises ``Invalid`` for two that cannot both be had."""
    for number, input in enumerate(inputs):
        path = PurePosixPath(input.local_path)
        for other in inputs[:number]:
            theirs = PurePosixPath(other.local_path)
            if path == theirs:
                raise Invalid(
                    f"Inputs {other.name} and {input.name} have the same LocalPath {path}: each needs its own.",
                    field="LocalPath",
                )
            if (input.is_piped and theirs in path.parents) or (other.is_piped and path in theirs.parents):
                raise Invalid(
                    f"Of inputs {other.name} and {input.name}, one is a pipe within the other's LocalPath.",
                    field="LocalPath",
                )
        for output in outputs:
            theirs = PurePosixPath(output.local_path)
            if path == theirs or path in theirs.parents or theirs in path.parents:
                raise Invalid(
                    f"The LocalPath {path} of input {input.name} and the LocalPath {theirs} of output {output.name} "
                    "overlap: inputs and outputs need folders of their own.",
                    field="LocalPath",
                )
