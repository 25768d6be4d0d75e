"""Serving of built-in XGBoost: CSV and libsvm in, CSV or JSON out.

Statuses, texts and forms are those of ``algorithm_mode/serve.py``, ``serve_utils.py`` and ``encoder.py`` of
aws/sagemaker-xgboost-container: 204 for an empty body, 415 for a type or a payload that cannot be read, 400 where the
model refuses what was read, 406 for an answer type it does not write. Numbers are written as AWS's are: the shortest
text of the double that the engine's float becomes.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, Final

from cloche_jobs.algorithms.xgboost import engine
from cloche_jobs.algorithms.xgboost.engine import Array, Predictor, numpy
from cloche_jobs.algorithms.xgboost.files import form_of, media_type
from cloche_jobs.algorithms.xgboost.payloads import Rows, parse_csv, parse_libsvm
from cloche_jobs.algorithms.xgboost.spec import ANSWER_TYPES
from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.serving import Answer, InferenceError, Question, serve

log = logging.getLogger(__name__)
BODY_BYTES_MAX: Final = 6_291_456
"""``MAX_CONTENT_LENGTH`` of AWS's container, which its environment variable of that name changes."""
INLINE_BYTES_MAX: Final = 16_384
"""A body of this length is parsed and predicted within about a millisecond."""
_VOTING: Final = ("multi:softmax", "binary:hinge")
_ANSWERS: Final = {"text/csv": "text/csv; charset=utf-8", "application/json": "application/json"}


def main(layout: Layout) -> None:
    """Load what lies in ``model/`` and serve it until SIGTERM. Raises ``JobError``."""
    if os.environ.get("SAGEMAKER_INFERENCE_OUTPUT"):
        raise UserError("SAGEMAKER_INFERENCE_OUTPUT (selectable inference) is not supported by Cloche yet.")
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        raise UserError("Multi-model endpoints are not supported by Cloche yet.")
    serve(XGBoostModel(layout.model))


class XGBoostModel:
    """The boosters of a model folder; several are an ensemble, as in AWS's container."""

    inline_bytes_max = INLINE_BYTES_MAX

    def __init__(self, folder: Path) -> None:
        self.body_bytes_max = int(os.environ.get("MAX_CONTENT_LENGTH") or BODY_BYTES_MAX)
        self.batch = bool(os.environ.get("SAGEMAKER_BATCH"))
        self.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "text/csv"
        self.predictors = [Predictor(_load(path)) for path in _model_files(folder)]
        config = json.loads(self.predictors[0].booster.save_config())
        self.objective: str = config["learner"]["objective"]["name"]
        log.info("Model objective : %s", self.objective)

    def answer(self, question: Question) -> Answer:
        if not question.body:
            return Answer(b"", status=204)
        rows = self._rows(question)
        try:
            predictions = self._predict(rows)
        except Exception as error:
            text = engine.first_paragraph(error)
            raise InferenceError(400, f"Unable to evaluate payload provided: {text}") from error
        accept = self._accept(question.accept)
        return Answer(self._encode(predictions, accept), _ANSWERS[accept])

    def execution_parameters(self) -> Answer | None:
        parameters = {
            "MaxConcurrentTransforms": os.cpu_count() or 1,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": self.body_bytes_max // 1024**2,
        }
        return Answer(json.dumps(parameters).encode())

    def _rows(self, question: Question) -> Rows:
        # AWS takes a missing type for libsvm; media types are compared before their parameters are looked at.
        content_type = question.content_type or "text/libsvm"
        try:
            form = "csv" if content_type == "text/csv" else form_of(content_type)
        except UserError as error:
            raise InferenceError(415, error.message) from error
        try:
            return parse_csv(question.body) if form == "csv" else parse_libsvm(question.body)
        except Exception as error:
            raise InferenceError(
                415,
                f"Loading {form} data failed with Exception, please ensure data is in {form} format:\n "
                f"{type(error)}\n {error}",
            ) from error

    def _predict(self, rows: Rows) -> list[Any]:
        if len(self.predictors) == 1:
            if len(rows) == 1:
                return self.predictors[0].predict_row(rows[0])
            alone: list[Any] = self.predictors[0].predict(numpy.array(rows, dtype=numpy.float32)).tolist()
            return alone
        table = numpy.array(rows, dtype=numpy.float32)
        answers = numpy.array([predictor.predict(table) for predictor in self.predictors])
        together = _most_frequent(answers) if self.objective in _VOTING else answers.mean(axis=0)
        joined: list[Any] = together.tolist()
        return joined

    def _accept(self, accept: str | None) -> str:
        if accept == "text/csv":
            return accept
        kind = media_type(accept or "")[0]
        return self._known(self.default_accept if kind in ("", "*/*") else kind)

    @staticmethod
    def _known(accept: str) -> str:
        kind = media_type(accept)[0]
        if kind not in ANSWER_TYPES:
            raise InferenceError(
                406,
                f"Accept type {accept} is not supported. Please use supported accept types: {list(ANSWER_TYPES)}.",
            )
        return kind

    def _encode(self, values: list[Any], accept: str) -> bytes:
        if accept == "text/csv" or self.batch:
            if values and isinstance(values[0], list) and not self.batch:
                return "".join(",".join(map(repr, row)) + "\n" for row in values).encode()
            return ("\n".join(map(repr, values)) + "\n").encode()
        return json.dumps({"predictions": [{"score": value} for value in values]}).encode()


def _most_frequent(answers: Array) -> Array:
    """Per column the value most boosters gave, the smallest of several."""
    columns = [numpy.unique(column, return_counts=True) for column in answers.T]
    return numpy.array([values[counts.argmax()] for values, counts in columns], dtype=answers.dtype)


def _model_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    for path in files:
        if path.name.startswith("."):
            log.warning(
                "Ignoring dotfile '%s' found in model directory - please exclude dotfiles from model archives", path
            )
    files = [path for path in files if not path.name.startswith(".")]
    if not files:
        raise UserError(f"There is no model file in {folder}.")
    ensemble = os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true").lower() == "true"
    return files if ensemble else files[:1]


def _load(path: Path) -> Any:
    log.info("Loading the model from %s", path)
    try:
        return engine.load(path)
    except RuntimeError as error:
        raise UserError(str(error)) from error
