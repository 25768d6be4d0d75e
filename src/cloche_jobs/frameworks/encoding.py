"""CSV, JSON and npy to arrays and back, as ``_encoders.py`` of aws/sagemaker-containers does it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy

from cloche_jobs.frameworks.hooks import UnsupportedFormatError

Array = Any  # numpy.ndarray; numpy is not installed where the types are checked


def decoded(data: Any, content_type: str) -> Array:
    """An array of what came. Raises ``UnsupportedFormatError`` and ``ValueError``."""
    kind = _kind(content_type)
    if kind == "application/x-npy":
        return numpy.load(io.BytesIO(data), allow_pickle=False)
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    if kind == "application/json":
        return numpy.array(json.loads(text))
    if kind == "text/csv":
        return numpy.array([row for row in csv.reader(io.StringIO(text), strict=True) if row]).astype(float)
    raise UnsupportedFormatError(content_type)


def encoded(prediction: Any, accept: str) -> bytes | str:
    """``prediction`` in the form asked for. Raises ``UnsupportedFormatError``."""
    kind = _kind(accept)
    if kind == "application/json":
        return json.dumps(prediction, default=_listed)
    if kind == "text/csv":
        return _as_csv(numpy.array(prediction))
    if kind == "application/x-npy":
        stream = io.BytesIO()
        numpy.save(stream, prediction, allow_pickle=False)
        return stream.getvalue()
    raise UnsupportedFormatError(accept)


def _as_csv(array: Array) -> str:
    if array.ndim < 2:
        array = array.reshape(-1, 1)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(array.tolist())
    return stream.getvalue()


def _listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
