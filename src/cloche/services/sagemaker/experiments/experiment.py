"""Experiments: trials that are compared with each other."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.lineage import edges
from cloche.services.sagemaker.experiments.facts import absent, taken
from cloche.storage.metadata.records import Record

HAS_TRIALS: Final = fact(
    "ValidationException",
    "Experiment '{arn}' has 1 or more trials and cannot be deleted.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteExperiment.html; words: after those of"
    " DeleteTrialComponent",
)


class Experiment(Resource):
    """A name under which trials stand."""

    operations: ClassVar = (
        "CreateExperiment",
        "DescribeExperiment",
        "ListExperiments",
        "UpdateExperiment",
        "DeleteExperiment",
    )
    arn: ClassVar = "experiment/{ExperimentName}"
    missing: ClassVar[Fact] = absent("Experiment")
    duplicate: ClassVar[Fact] = taken("Experiment")

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        row = tx.execute(
            "SELECT 1 FROM records WHERE account = ? AND region = ? AND kind = 'sagemaker/Trial'"
            " AND json_extract(request, '$.ExperimentName') = ? LIMIT 1",
            (record.account, record.region, record.name),
        ).fetchone()
        if row is not None:
            raise HAS_TRIALS.error(arn=record.arn)
        edges.remove_all(tx, record.arn)
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        source = record.state.get("source")
        return {
            # "If you don't specify DisplayName, the value in ExperimentName is displayed." (API_CreateExperiment)
            "DisplayName": record.request.get("DisplayName") or record.name,
            "Source": source,
            "ExperimentSource": source,
        }


EXPERIMENT: Final = Experiment()
