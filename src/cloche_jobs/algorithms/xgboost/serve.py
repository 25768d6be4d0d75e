"""Serving of built-in XGBoost: CSV, libsvm and RecordIO-protobuf in, CSV or JSON out, or what was selected.

Statuses, texts and forms are those of ``algorithm_mode/serve.py``, ``serve_utils.py`` and ``encoder.py`` of
aws/sagemaker-xgboost-container: 204 for an empty body, 415 for a type or a payload that cannot be read, 400 where the
model refuses what was read, 406 for an answer type it does not write. Numbers are written as AWS's are: the shortest
text of the double that the engine's float becomes.
"""

from __future__ import annotations

import json
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cloche_jobs.algorithms.xgboost import bulk, engine, older
from cloche_jobs.algorithms.xgboost.content import accepted_form
from cloche_jobs.algorithms.xgboost.engine import Array, Predictor, numpy
from cloche_jobs.algorithms.xgboost.payloads import Rows, parse_csv, parse_libsvm, parse_protobuf
from cloche_jobs.algorithms.xgboost.selected import Selection, selected_keys
from cloche_jobs.algorithms.xgboost.spec import ANSWER_TYPES
from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.data.content_types import media_type
from cloche_jobs.serving import Answer, InferenceError, OneByOne, Question, serve

log = logging.getLogger(__name__)
BODY_BYTES_MAX: Final = 6_291_456
"""``MAX_CONTENT_LENGTH`` of AWS's container, which its environment variable of that name changes."""
INLINE_BYTES_MAX: Final = 16_384
"""A body of this length is parsed and predicted within about a millisecond."""
ACCEPTS_MAX: Final = 64
"""Values of Accept whose meaning is remembered."""
_VOTING: Final = ("multi:softmax", "binary:hinge")
_PLAIN: Final = ("text/csv", "application/json")
_PARSERS: Final = {"csv": parse_csv, "libsvm": parse_libsvm, "recordio-protobuf": parse_protobuf}


def main(layout: Layout) -> None:
    """Load what lies in ``model/`` and serve it until SIGTERM. Raises ``JobError``."""
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        raise UserError("Multi-model endpoints are not supported by Cloche yet.")
    serve(lambda: _model(layout.model))


def _model(folder: Path) -> XGBoostModel | Unloadable:
    try:
        return XGBoostModel(folder)
    except UserError as error:
        if not older.answers_in_one_line():
            raise
        log.exception("Unable to load model")
        return Unloadable(error.message)


class Unloadable(OneByOne):
    """What an image up to 1.2-1 is with a model that cannot be loaded: in service, and refusing every request."""

    inline_bytes_max = INLINE_BYTES_MAX
    body_bytes_max = BODY_BYTES_MAX

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def answer(self, question: Question) -> Answer:
        if not question.body:
            return Answer(b"", status=204)
        raise InferenceError(500, f"Unable to load model: {self.reason}")

    def execution_parameters(self) -> Answer:
        return _parameters(self.body_bytes_max)


class XGBoostModel(OneByOne):
    """The boosters of a model folder; several are an ensemble, as in AWS's container."""

    inline_bytes_max = INLINE_BYTES_MAX

    def __init__(self, folder: Path) -> None:
        self.body_bytes_max = int(os.environ.get("MAX_CONTENT_LENGTH") or BODY_BYTES_MAX)
        self.batch = bool(os.environ.get("SAGEMAKER_BATCH"))
        self.one_line = older.answers_in_one_line() and not self.batch
        self.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "text/csv"
        self.predictors = [Predictor(_load(path)) for path in _model_files(folder)]
        config = json.loads(self.predictors[0].booster.save_config())
        self.objective: str = config["learner"]["objective"]["name"]
        log.info("Model objective : %s", self.objective)
        keys = selected_keys()
        classes = int(config["learner"]["learner_model_param"].get("num_class") or 0)
        self.selection = Selection(keys, self.objective, classes) if keys else None
        self._accept = lru_cache(maxsize=ACCEPTS_MAX)(self._accepted)

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
        shown = "text/csv; charset=utf-8" if accept == "text/csv" else accept
        return Answer(self._encode(predictions, accept), shown)

    def execution_parameters(self) -> Answer | None:
        return _parameters(self.body_bytes_max)

    def _rows(self, question: Question) -> Rows | Array:
        # AWS takes a missing type for libsvm; media types are compared before their parameters are looked at.
        content_type = question.content_type or "text/libsvm"
        try:
            form = "csv" if content_type == "text/csv" else accepted_form(content_type)
        except UserError as error:
            raise InferenceError(415, error.message) from error
        if form not in _PARSERS:
            raise InferenceError(415, f"Content-type {content_type} is not supported.")
        try:
            table = bulk.read_csv(question.body) if form == "csv" and len(question.body) >= bulk.BYTES_MIN else None
            return _PARSERS[form](question.body) if table is None else table
        except Exception as error:
            raise InferenceError(
                415,
                f"Loading {form} data failed with Exception, please ensure data is in {form} format:\n "
                f"{type(error)}\n {error}",
            ) from error

    def _predict(self, rows: Rows | Array) -> list[Any] | Array:
        if len(self.predictors) == 1:
            if len(rows) == 1:
                return self.predictors[0].predict_row(rows[0])
            return self.predictors[0].predict(numpy.asarray(rows, dtype=numpy.float32))
        table = numpy.asarray(rows, dtype=numpy.float32)
        answers = numpy.array([predictor.predict(table) for predictor in self.predictors])
        return _most_frequent(answers) if self.objective in _VOTING else answers.mean(axis=0)

    def _accepted(self, accept: str | None) -> str:
        if accept == "text/csv" or (self.one_line and self.selection is None):
            return "text/csv"
        kind = media_type(accept or "")[0]
        return self._known(self.default_accept if kind in ("", "*/*") else kind)

    def _known(self, accept: str) -> str:
        kind = media_type(accept)[0]
        if kind in ANSWER_TYPES and (kind in _PLAIN or self.selection is not None):
            return kind
        offered = list(ANSWER_TYPES if self.selection is not None else _PLAIN)
        raise InferenceError(
            406, f"Accept type {accept} is not supported. Please use supported accept types: {offered}."
        )

    def _encode(self, predictions: list[Any] | Array, accept: str) -> bytes:
        if self.selection is None and self.one_line:
            return ",".join(map(repr, predictions if isinstance(predictions, list) else predictions.tolist())).encode()
        if self.selection is None and (accept == "text/csv" or self.batch):
            written = None if isinstance(predictions, list) else bulk.write_lines(predictions)
            if written is not None:
                return written
        values: list[Any] = predictions if isinstance(predictions, list) else predictions.tolist()
        if self.selection is not None:
            try:
                return self.selection.encoded(self.selection.answers(values), accept, batch=self.batch)
            except ValueError as error:
                raise InferenceError(500, str(error)) from error
        if accept == "text/csv" or self.batch:
            if values and isinstance(values[0], list) and not self.batch:
                return "".join(",".join(map(repr, row)) + "\n" for row in values).encode()
            return ("\n".join(map(repr, values)) + "\n").encode()
        return json.dumps({"predictions": [{"score": value} for value in values]}).encode()


def _parameters(body_bytes_max: int) -> Answer:
    parameters = {
        "MaxConcurrentTransforms": os.cpu_count() or 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": body_bytes_max // 1024**2,
    }
    return Answer(json.dumps(parameters).encode())


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
