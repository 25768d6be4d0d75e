"""What differed in the engines of older images, where it shows in a job's log.

- Default metrics: error and merror up to 1.2, logloss and mlogloss from 1.3 on (XGBoost 1.3.0 release notes).
- Numbers: in AWS's log of 1.2-1 with 601 rows, 32/601 appears as 0.05325 and 27/601 as 0.04492: they were rounded to
  six decimals first, then to five. Before 1.0 six significant digits were printed (``train-rmse:19.374``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from cloche_jobs.contract import environment

_ERROR_BY_DEFAULT: Final = {
    "binary:logistic": "error",
    "binary:logitraw": "auc",
    "multi:softmax": "merror",
    "multi:softprob": "merror",
}


def default_metrics(objective: str) -> list[str]:
    """The metrics an older image computes when none are named; empty: the engine's own default is right."""
    default = _ERROR_BY_DEFAULT.get(objective)
    return [default] if default is not None and _version() < (1, 3) else []


def number_format() -> Callable[[float], str]:
    """How this image prints a metric."""
    version = _version()
    if version < (1, 0):
        return lambda value: f"{value:g}"
    if version < (1, 3):
        return lambda value: f"{float(f'{value:.6f}'):.5f}"
    return lambda value: f"{value:.5f}"


def _version() -> tuple[int, ...]:
    name, _, version = os.environ.get(environment.IMAGE, "").partition(":")
    if name == "xgboost":
        return (0, 72)
    numbers = version.partition("-")[0].split(".")
    return tuple(int(number) for number in numbers) if all(n.isdigit() for n in numbers) else (1, 7)
