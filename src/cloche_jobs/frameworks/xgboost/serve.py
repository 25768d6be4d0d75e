"""Serving an XGBoost model with the user's ``model_fn``; the rest has defaults.

Source: ``serving.py`` and ``encoder.py`` of aws/sagemaker-xgboost-container (framework mode).
"""

from __future__ import annotations

from typing import Any

from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.encoding import encoded
from cloche_jobs.frameworks.hooks import Defaults, HookedModel, UnsupportedFormatError
from cloche_jobs.serving import serve


def main(layout: Layout) -> None:
    """Load the user's module and model, serve until SIGTERM. Raises ``JobError``."""
    serve(lambda: HookedModel(layout, Defaults(default_input_fn, default_predict_fn, encoded)))


def default_input_fn(data: Any, content_type: str) -> Any:
    """A DMatrix from CSV or libsvm text, or from RecordIO-protobuf."""
    import numpy
    import xgboost

    from cloche_jobs.algorithms.xgboost.payloads import parse_csv, parse_libsvm, parse_protobuf

    kind = content_type.partition(";")[0].strip().lower()
    body = data.encode("utf-8") if isinstance(data, str) else data
    if kind == "text/csv":
        rows = parse_csv(body)
    elif kind in ("text/libsvm", "text/x-libsvm"):
        rows = parse_libsvm(body)
    elif kind == "application/x-recordio-protobuf":
        rows = parse_protobuf(body)
    else:
        raise UnsupportedFormatError(content_type)
    return xgboost.DMatrix(numpy.array(rows, dtype=numpy.float32))


def default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)
