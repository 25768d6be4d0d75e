"""What differed in the engines of older images, where it shows in a job's log.

- Default metrics: error and merror up to 1.2, logloss and mlogloss from 1.3 on (XGBoost 1.3.0 release notes).
- Pipes: read up to 3.0-5, refused by 3.2-0 (``data_utils.py`` of aws/sagemaker-xgboost-container, before and after its
  7eefe63, "upgrade to Python 3.12, remove MLIO dependency").
- ``silent``: taken up to 1.0-1, unknown from 1.2 on (the same's ``hyperparameter_validation.py`` of both; a failed job
  of 1.2 in aws/amazon-sagemaker-examples#1740).
- Models: a pickled ``Booster`` up to 1.2, ``save_model`` from 1.3-1 on
  (docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html, "Input/Output Interface").
- Answers: up to 1.2-1 always ``text/csv``, joined by commas and without an end of line; a model that cannot be loaded
  answers pings, and requests with 500 (``serve.py`` of the branches 0.90-1 to 1.2-1 against 1.2-2). AWS's
  notebooks read 0.72's answers so, and its deployment guardrails count on the 500s.
- Pickles: 0.90 and before held the model alone, which engines from 1.0 on refuse (see ``engine.py``).
- Numbers: in AWS's log of 1.2-1 with 601 rows, 32/601 appears as 0.05325 and 27/601 as 0.04492: they were rounded to
  six decimals first, then to five. Before 1.0 six significant digits were printed (``train-rmse:19.374``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloche_jobs.algorithms.declarations import Hyperparameter, Interval
from cloche_jobs.contract import environment
from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.content_types import Form

_ERROR_BY_DEFAULT: Final = {
    "binary:logistic": "error",
    "binary:logitraw": "auc",
    "multi:softmax": "merror",
    "multi:softprob": "merror",
}
_SILENT: Final = Hyperparameter("silent", "Integer", Interval(0, 1), "0")


def default_metrics(objective: str) -> list[str]:
    """The metrics an older image computes when none are named; empty: the engine's own default is right."""
    default = _ERROR_BY_DEFAULT.get(objective)
    return [default] if default is not None and _version() < (1, 3) else []


def without_silent(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is left for an engine that knows no ``silent``. Raises ``UserError`` where it is neither 0 nor 1."""
    left = dict(given)
    if _version() < (1, 2) and "silent" in left:
        _SILENT.check_range(_SILENT.parse(left.pop("silent")))
    return left


def number_format() -> Callable[[float], str]:
    """How this image prints a metric."""
    version = _version()
    if version < (1, 0):
        return lambda value: f"{value:g}"
    if version < (1, 3):
        return lambda value: f"{float(f'{value:.6f}'):.5f}"
    return lambda value: f"{value:.5f}"


def pickles_models() -> bool:
    """Whether scripts unpickle this image's models, as the evaluation of nearly every public pipeline does."""
    return _version() < (1, 3)


def reads_plain_pickles() -> bool:
    """Whether a pickle that holds the model alone is a model to this image: to those that wrote such."""
    return _version() < (1, 0)


def answers_in_one_line() -> bool:
    """Whether this image joins its answers by commas and answers pings whatever its model."""
    return _version() < (1, 2) or os.environ.get(environment.IMAGE, "").endswith(":1.2-1")


def check_pipes(form: Form, input_mode: str) -> None:
    """Raises ``UserError``, in AWS's words, where this image reads no pipes."""
    if input_mode == "Pipe" and _version() >= (3, 2):
        shown = {"csv": "CSV", "parquet": "Parquet", "recordio-protobuf": "RecordIO-Protobuf"}.get(form, form)
        raise UserError(
            f"Pipe mode for {shown} is no longer supported. Please use Fast File mode (default) instead. "
            "Set input_mode='File' in your SageMaker Estimator or TrainingInput."
        )


def _version() -> tuple[int, ...]:
    name, _, version = os.environ.get(environment.IMAGE, "").partition(":")
    if name == "xgboost":
        return (0, 72)
    numbers = version.partition("-")[0].split(".")
    return tuple(int(number) for number in numbers) if all(n.isdigit() for n in numbers) else (1, 7)
