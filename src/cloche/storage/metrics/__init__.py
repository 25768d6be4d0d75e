"""Time series: data points appended to SQLite, aggregated when asked.

``MetricStore`` is the face; ``statistics`` the mergeable state behind every number, ``retention`` how old points
are rolled up.
"""

from cloche.storage.metrics.statistics import Statistics
from cloche.storage.metrics.store import MIGRATIONS, Datum, Metric, MetricStore

__all__ = ["MIGRATIONS", "Datum", "Metric", "MetricStore", "Statistics"]
