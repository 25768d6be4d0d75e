"""Selectable inference: answers made of what ``SAGEMAKER_INFERENCE_OUTPUT`` names.

Keys, values, forms and texts: ``algorithm_mode/serve_utils.py`` of aws/sagemaker-xgboost-container. A key that does not
go with the model's objective is answered as NaN.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from cloche_jobs.data.record import Record, Tensor, write_records

log = logging.getLogger(__name__)
VARIABLE: Final = "SAGEMAKER_INFERENCE_OUTPUT"

_CLASS = ("predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores")
_NO_PROBABILITY = ("predicted_label", "labels", "raw_score", "raw_scores")
_SCORE = ("predicted_score",)
KEYS_OF: Final[dict[str, tuple[str, ...]]] = {
    "reg:squarederror": _SCORE,
    "reg:logistic": _SCORE,
    "reg:gamma": _SCORE,
    "reg:absoluteerror": _SCORE,
    "reg:tweedie": _SCORE,
    "binary:logistic": _CLASS,
    "binary:logitraw": _NO_PROBABILITY,
    "binary:hinge": _NO_PROBABILITY,
    "multi:softmax": _NO_PROBABILITY,
    "multi:softprob": _CLASS,
}


def selected_keys() -> list[str]:
    """What is asked for, in order; empty where plain answers are."""
    asked = os.environ.get(VARIABLE)
    return [] if asked is None else asked.replace(" ", "").lower().split(",")


class Selection:
    """The keys asked of a model. ``answers`` raises ``ValueError`` for an objective that offers none."""

    def __init__(self, keys: list[str], objective: str, classes: int) -> None:
        self.keys, self.objective, self.classes = keys, objective, classes
        self.offered = KEYS_OF.get(objective, ())
        foreign = [key for key in keys if key not in self.offered]
        if foreign and self.offered:
            log.warning(
                "Selected key(s) %s incompatible for objective '%s'. "
                "Please use list of compatible selectable inference predictions: %s",
                foreign,
                objective,
                list(self.offered),
            )

    def answers(self, predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One for each of the engine's predictions: a number, or a row of them."""
        if not self.offered:
            raise ValueError(f"Objective `{self.objective}` unsupported for selectable inference predictions.")
        asked = [key for key in (*_CLASS, *_SCORE) if key in self.keys and key in self.offered]
        foreign = [key for key in self.keys if key not in self.offered]
        return [
            {**{key: _VALUE_OF[key](self, prediction) for key in asked}, **dict.fromkeys(foreign, math.nan)}
            for prediction in predictions
        ]

    def encoded(self, answers: list[dict[str, Any]], accept: str, *, batch: bool) -> bytes:
        if accept == "application/json":
            return json.dumps({"predictions": answers}).encode()
        if accept == "application/jsonlines":
            return "".join(json.dumps(answer) + "\n" for answer in answers).encode()
        if accept == "application/x-recordio-protobuf":
            return _records(answers)
        lines = (",".join(_cell(answer[key]) for key in self.keys) for answer in answers)
        return ("\n".join(lines) + ("\n" if batch else "")).encode()

    def _label(self, prediction: Any) -> float:
        if self.objective == "multi:softprob":
            return int(max(range(len(prediction)), key=prediction.__getitem__))
        if self.objective == "binary:logistic":
            return int(prediction > 0.5)
        if self.objective == "binary:logitraw":
            return int(prediction > 0)
        return float(prediction)

    def _labels(self, prediction: Any) -> list[int]:
        return [0, 1] if self.objective.startswith("binary:") else list(range(self.classes))


def _winning(selection: Selection, prediction: Any) -> float:
    return float(max(prediction) if isinstance(prediction, list) else prediction)


def _both(selection: Selection, prediction: Any) -> list[float]:
    return prediction if isinstance(prediction, list) else [1.0 - prediction, prediction]


_VALUE_OF: Final[dict[str, Callable[[Selection, Any], Any]]] = {
    "predicted_label": Selection._label,
    "labels": Selection._labels,
    "probability": _winning,
    "probabilities": _both,
    "raw_score": _winning,
    "raw_scores": _both,
    "predicted_score": lambda _, prediction: prediction,
}


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)


def _records(answers: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    write_records(
        (
            Record(
                label={
                    key: Tensor.of("float32", value if isinstance(value, list) else [value])
                    for key, value in answer.items()
                }
            )
            for answer in answers
        ),
        stream,
    )
    return stream.getvalue()
