"""Serving a scikit-learn model: ``model_fn`` is the user's, the rest has defaults.

Source: ``serving.py`` and ``handler_service.py`` of aws/sagemaker-scikit-learn-container.
"""

from __future__ import annotations

from typing import Any, Final

import numpy

from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.encoding import Array, decoded, encoded
from cloche_jobs.frameworks.hooks import Defaults, HookedModel
from cloche_jobs.serving import serve


def main(layout: Layout) -> None:
    """Load the user's module and model, serve until SIGTERM. Raises ``JobError``."""
    serve(lambda: HookedModel(layout, Defaults(default_input_fn, default_predict_fn, encoded, rows_apart)))


def default_input_fn(data: Any, content_type: str) -> Array:
    """Rows of float32 from CSV or JSON, whatever it holds from npy; one row alone becomes a table of one row."""
    array = decoded(data, content_type)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    return array if content_type.startswith("application/x-npy") else array.astype(numpy.float32)


def default_predict_fn(data: Array, model: Any) -> Any:
    return model.predict(data)


_BY_TREES: Final = (
    "sklearn.tree._classes",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting",
)


def rows_apart(model: Any) -> bool:
    """Trees send each row down by itself and add up in a fixed order. Models of matrices do not: how a product is cut
    into blocks, and so its last bits, depends on how many rows there are; nor do threads that add up as they end."""
    return type(model).__module__ in _BY_TREES and getattr(model, "n_jobs", None) in (None, 1)
