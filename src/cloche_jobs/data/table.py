"""What every reader of training data answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

Array = Any  # numpy.ndarray; numpy is not installed where the types are checked


@dataclass(slots=True)
class Table:
    """``features`` is a dense float32 array or a sparse matrix, NaN where a dense value is missing; ``labels``,
    ``weights`` and ``groups`` (one of each for every row) are there or ``None``."""

    features: Any
    labels: Array | None = None
    weights: Array | None = None
    groups: Array | None = None


def shown(text: str) -> str:
    """A piece of somebody's data, fit for a message."""
    return repr(text if len(text) <= 50 else text[:50] + "…")


__all__ = ["Array", "Table", "numpy", "shown"]
