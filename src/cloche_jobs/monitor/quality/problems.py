"""The three kinds of problems: reading answers as theirs, and measuring them.

The standard deviation of a measure is that of five values of it, each of four fifths of the rows, drawn without
replacement; below 200 rows it is NaN (docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html)
The draws have a fixed seed: the same data give the same document.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.quality import measures
from cloche_jobs.monitor.quality.curves import curves
from cloche_jobs.monitor.quality.inputs import Answers

Array = Any
ROWS_MIN = 200
DRAWS = 5
SHARE = 0.8
THRESHOLD = 0.5
_SEED = 0
_TRUE, _FALSE = {"1", "1.0", "true", "True"}, {"0", "0.0", "false", "False"}


def regression(answers: Answers, threshold: float) -> dict[str, Any]:
    if answers.inference is None:
        raise UserError("a regression needs inference_attribute")
    columns = [_numbers(answers.truth, "ground truth"), _numbers(answers.inference, "inference")]
    return _measured(measures.regression, columns)


def binary(answers: Answers, threshold: float) -> dict[str, Any]:
    """Without an inference, one is positive whose probability is above the threshold."""
    truth = _booleans(answers.truth, "ground truth")
    scores = None if answers.probability is None else _numbers(answers.probability, "probability")
    if answers.inference is not None:
        said = _booleans(answers.inference, "inference")
    else:
        assert scores is not None
        said = scores > threshold
    columns = [truth, said] if scores is None else [truth, said, scores]
    found = _measured(lambda truth, said, scores=None: measures.binary(truth, said, scores), columns)
    matrix = measures.confusion(truth.astype(int), said.astype(int), 2)
    document: dict[str, Any] = {"confusion_matrix": measures.named(matrix, ["0", "1"])}
    for name, value in found.items():
        if name == "auc" and scores is not None:
            document |= curves(truth, scores)
        document[name] = value
    return document


def multiclass(answers: Answers, threshold: float) -> dict[str, Any]:
    if answers.inference is None:
        raise UserError("a multiclass classification needs inference_attribute")
    names = sorted({*map(_class_name, answers.truth), *map(_class_name, answers.inference)}, key=_natural)
    if len(names) > CLASSES_MAX:
        raise UserError(f"there are {len(names)} classes; a confusion matrix is written of up to {CLASSES_MAX}")
    place = {name: number for number, name in enumerate(names)}
    truth, said = (
        np.fromiter((place[_class_name(each)] for each in column), dtype=np.int64, count=len(column))
        for column in (answers.truth, answers.inference)
    )
    found = _measured(lambda truth, said: measures.multiclass(truth, said, len(names)), [truth, said])
    matrix = measures.confusion(truth, said, len(names))
    return {"confusion_matrix": measures.named(matrix, names), **found}


CLASSES_MAX = 1_000
Problem = Callable[[Answers, float], dict[str, Any]]
PROBLEMS: Mapping[str, tuple[str, Problem]] = {
    "Regression": ("regression", regression),
    "BinaryClassification": ("binary_classification", binary),
    "MulticlassClassification": ("multiclass_classification", multiclass),
}
"""By ``problem_type``: the name in documents, and what measures it."""


def _measured(measure: Callable[..., dict[str, float]], columns: Sequence[Array]) -> dict[str, Any]:
    count = len(columns[0])
    values, drawn = measure(*columns), []
    if count >= ROWS_MIN:
        source = np.random.default_rng(_SEED)
        for _ in range(DRAWS):
            rows = source.permutation(count)[: round(count * SHARE)]
            drawn.append(measure(*(column[rows] for column in columns)))
    return {
        name: {"value": value, "standard_deviation": _deviation([each[name] for each in drawn])}
        for name, value in values.items()
    }


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if values else math.nan


def _numbers(texts: Sequence[str], what: str) -> Array:
    """Raises ``UserError`` for what is none; NaN and infinities are none."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError as error:
        raise UserError(f"a {what} is no number: {error}") from error
    if not np.isfinite(numbers).all():
        raise UserError(f"a {what} is not finite")
    return numbers


def _booleans(texts: Sequence[str], what: str) -> Array:
    found = np.fromiter((text in _TRUE for text in texts), dtype=bool, count=len(texts))
    for text in {text for text in texts if text not in _TRUE}:
        if text not in _FALSE:
            raise UserError(f"a {what} of a binary classification is 0 or 1, not {text[:100]!r}")
    return found


def _class_name(text: str) -> str:
    """``1.0`` and ``1`` are the same class."""
    head, dot, tail = text.partition(".")
    return head if dot and head.lstrip("-").isdecimal() and not tail.strip("0") else text


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, before words in theirs."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
