"""Metric filters: data points made of log events as they are taken in.

``filters`` is what they do; they are kept in ``storage/logs/filters``.
"""

from cloche.engines.metric_filters.filters import MetricFilters, number

__all__ = ["MetricFilters", "number"]
