"""Metric filters: data points made of log events as they are taken in.

``filters`` is what they do, ``rows`` where they are kept.
"""

from cloche.engines.metric_filters.filters import MetricFilters, number

__all__ = ["MetricFilters", "number"]
