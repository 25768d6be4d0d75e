"""What the measures take, checked once: arrays of one length, without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
"""A numpy array; the stubs of numpy are not needed to run a job."""


def paired(truth: Any, predicted: Any) -> tuple[Array, Array]:
    """Two columns of one length. Raises ``ValueError``."""
    left, right = np.asarray(truth), np.asarray(predicted)
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(f"two columns of one length are needed, not of shapes {left.shape} and {right.shape}")
    if left.size == 0:
        raise ValueError("there are no rows to evaluate")
    return left, right


def numbers(truth: Any, predicted: Any) -> tuple[Array, Array]:
    """The same as finite numbers. Raises ``ValueError``, naming the first row that is none."""
    left, right = paired(truth, predicted)
    left, right = left.astype(float), right.astype(float)
    for name, column in (("truth", left), ("prediction", right)):
        wrong = np.flatnonzero(~np.isfinite(column))
        if wrong.size:
            raise ValueError(f"the {name} in row {int(wrong[0])} is {column[wrong[0]]}, not a number")
    return left, right


def binary(labels: Any, scores: Any) -> tuple[Array, Array]:
    """Labels as booleans (they must be 0 and 1, or booleans) and finite scores. Raises ``ValueError``."""
    truth, given = numbers(labels, scores)
    wrong = np.flatnonzero((truth != 0) & (truth != 1))
    if wrong.size:
        raise ValueError(f"the label in row {int(wrong[0])} is {truth[wrong[0]]:g}: labels must be 0 or 1")
    return truth == 1, given


def both_classes(labels: Array) -> None:
    """Raises ``ValueError`` where one class is missing: curves have no meaning then."""
    if labels.all() or not labels.any():
        raise ValueError("both classes must occur among the labels")
