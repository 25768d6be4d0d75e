"""Anomaly detectors: what is said of a metric whose band is asked for, and the past that is learnt from.

A detector is a record; it holds no model. What is expected is learnt from the metric's own past whenever it is asked
for, so there is nothing to train ahead, and a metric needs no detector to have a band. What a detector adds are the
stretches of time that nothing is to be learnt from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from cloche.engines.alarms.plan import Metric
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore, Statistics

DETECTOR_KIND: Final = "cloudwatch:anomaly-detector"
LEARNT_SECONDS: Final = 14 * 86_400
POINTS_MIN: Final = 12
"""As in ``metric_math.anomaly``: with fewer points nothing is expected."""


def filed_name(metric: Metric, stat: str) -> str:
    """A metric with a statistic has one detector."""
    return hashlib.sha256(orjson.dumps([*metric[:2], [list(pair) for pair in metric[2]], stat])).hexdigest()[:32]


class Detectors:
    def __init__(self, database: Database, metrics: MetricStore) -> None:
        self._database, self._metrics = database, metrics

    def history(
        self,
        account: str,
        region: str,
        metric: Metric,
        stat: str,
        compute: Callable[[Statistics], float | None],
        period: int,
        before: float,
    ) -> dict[int, float]:
        """Points of the two weeks before, without the stretches that a detector excludes."""
        namespace, name, dimensions = metric
        held = self._metrics.query(
            account,
            region,
            namespace,
            name,
            dimensions,
            start=before - LEARNT_SECONDS,
            end=before,
            period=period,
        )
        merged: dict[int, Statistics] = {}
        for at, _, samples in held:
            merged.setdefault(at, Statistics()).add(samples)
        excluded = self._excluded(account, region, metric, stat)
        return {
            at: value
            for at, samples in merged.items()
            if not any(start <= at < end for start, end in excluded) and (value := compute(samples)) is not None
        }

    def _excluded(self, account: str, region: str, metric: Metric, stat: str) -> Sequence[tuple[float, float]]:
        name = filed_name(metric, stat)
        found = records.find(self._database.reader, account, region, DETECTOR_KIND, name)
        if found is None:
            return ()
        configuration: Mapping[str, Any] = found.request.get("Configuration") or {}
        return [
            (each["StartTime"].timestamp(), each["EndTime"].timestamp())
            for each in configuration.get("ExcludedTimeRanges") or ()
        ]
