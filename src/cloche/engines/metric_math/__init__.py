"""Metric math: expressions over time series, searches for metrics, names of statistics, labels. Pure; no storage.

``syntax`` reads an expression, ``evaluate`` computes it over what a ``Scope`` gives, ``search`` reads and matches
``SEARCH`` terms, ``statistic`` knows every name a statistic can have, ``labels`` fills dynamic labels in.
"""

from cloche.engines.metric_math.anomaly import POINTS_MIN, TRAINED_SECONDS, Model, train
from cloche.engines.metric_math.evaluate import Evaluation, Scope, evaluate
from cloche.engines.metric_math.labels import Labelling, label_of
from cloche.engines.metric_math.search import Search, read_search
from cloche.engines.metric_math.series import Series
from cloche.engines.metric_math.statistic import statistic
from cloche.engines.metric_math.syntax import MathError

__all__ = [
    "POINTS_MIN",
    "TRAINED_SECONDS",
    "Evaluation",
    "Labelling",
    "MathError",
    "Model",
    "Scope",
    "Search",
    "Series",
    "evaluate",
    "label_of",
    "read_search",
    "statistic",
    "train",
]
