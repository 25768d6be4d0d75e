"""The values of the objective metric that trials have told, as the metric store holds them."""

from __future__ import annotations

from typing import Final

from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.trials import Trial
from cloche.storage.metrics import MetricStore

NAMESPACE: Final = "/aws/sagemaker/TrainingJobs"
DIMENSION: Final = "TrainingJobName"
HELD_MAX: Final = 5_000


class Curves:
    """Those of trials that have ended are remembered."""

    def __init__(self, metrics: MetricStore) -> None:
        self._metrics = metrics
        self._ended: dict[str, tuple[float, ...]] = {}

    def of(self, plan: Plan, trial: Trial) -> tuple[float, ...]:
        held = self._ended.get(trial.arn)
        if held is not None:
            return held
        metric = plan.definitions[trial.definition].objective.metric
        dimensions = ((DIMENSION, trial.name),)
        curve = tuple(self._metrics.samples(plan.account, plan.region, NAMESPACE, metric, dimensions))
        if trial.has_ended:
            if len(self._ended) >= HELD_MAX:
                self._ended.clear()
            self._ended[trial.arn] = curve
        return curve
