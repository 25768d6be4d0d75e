"""What executions and their steps tell CloudWatch: that they began, how they ended and how long they took.

A follower of changes: each point is written in the transaction that takes note of its cause, so that none is lost and
none doubled. An execution that is retried ends once more, and its duration counts from its first start.

Source of names, dimensions and units: docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html ("SageMaker
pipelines metrics").
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from cloche.engines.pipelines import EXECUTION, STEP
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Change
from cloche.storage.metrics import Datum, MetricStore

NAMESPACE: Final = "AWS/Sagemaker/ModelBuildingPipeline"
_SUBJECTS: Final = {EXECUTION: "Execution", STEP: "Step"}
_ENDS: Final = ("Succeeded", "Failed", "Stopped")


class PipelineMetrics:
    """``follow`` is called inside the transactions of changes."""

    def __init__(self, metrics: MetricStore) -> None:
        self._metrics = metrics

    def follow(self, tx: sqlite3.Connection, changes: Sequence[Change]) -> None:
        for change in changes:
            subject = _SUBJECTS.get(change.kind)
            if subject is not None and (data := list(_data(tx, subject, change))):
                self._metrics.put_within(tx, change.account, change.region, NAMESPACE, data)


def _data(tx: sqlite3.Connection, subject: str, change: Change) -> Iterator[Datum]:
    pipeline, _, rest = change.name.partition("/")
    dimensions: tuple[tuple[str, str], ...] = (("PipelineName", pipeline),)
    if subject == "Step":
        dimensions = (*dimensions, ("StepName", rest.rpartition("/")[2]))
    if change.what == "created":
        yield Datum(f"{subject}Started", dimensions, change.at, 1.0, "Count")
    elif change.what == "status" and change.status in _ENDS and change.status != change.before:
        yield Datum(f"{subject}{change.status}", dimensions, change.at, 1.0, "Count")
        began = _began(tx, change)
        if began is not None:
            seconds = max(0.0, change.at - began)
            yield Datum(f"{subject}Duration", dimensions, change.at, round(1000 * seconds), "Milliseconds")


def _began(tx: sqlite3.Connection, change: Change) -> float | None:
    """``None`` for what has been deleted since."""
    record = records.find_arn(tx, change.arn)
    return None if record is None else record.created_at
