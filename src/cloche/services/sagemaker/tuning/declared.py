"""What a built-in algorithm declares of its hyperparameters and metrics, where the algorithm itself runs."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from cloche.aws.operation import Members
from cloche_jobs import catalog
from cloche_jobs.algorithms.declarations import Hyperparameters, Metric
from cloche_jobs.contract.sources import program


def declared_by(image: catalog.Image | None, definition: Members) -> Hyperparameters | None:
    """``None`` for a script and for a framework."""
    spec = _spec(image, definition)
    return None if spec is None else importlib.import_module(spec).HYPERPARAMETERS


def metrics_of(image: catalog.Image | None, definition: Members) -> Sequence[Metric] | None:
    spec = _spec(image, definition)
    return None if spec is None else importlib.import_module(spec).METRICS


def _spec(image: catalog.Image | None, definition: Members) -> str | None:
    own = program(definition.get("StaticHyperParameters") or {}, definition.get("Environment") or {})
    return None if own or image is None else image.spec
