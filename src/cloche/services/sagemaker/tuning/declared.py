"""What a built-in algorithm declares of its hyperparameters, where the algorithm itself runs, and of its metrics."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from cloche.aws.operation import Members
from cloche_jobs import catalog
from cloche_jobs.algorithms.declarations import Hyperparameters, Metric
from cloche_jobs.contract.sources import program


def declared_by(image: catalog.Image | None, definition: Members) -> Hyperparameters | None:
    """``None`` for a script and for a framework."""
    own = program(definition.get("StaticHyperParameters") or {}, definition.get("Environment") or {})
    if own or image is None or image.spec is None:
        return None
    found: Hyperparameters = importlib.import_module(image.spec).HYPERPARAMETERS
    return found


def metrics_of(image: catalog.Image | None) -> Sequence[Metric] | None:
    """``None`` for a framework's image; a script in an algorithm's has the algorithm's."""
    if image is None or image.spec is None:
        return None
    found: Sequence[Metric] = importlib.import_module(image.spec).METRICS
    return found
