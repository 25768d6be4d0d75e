"""Trials: the components that together make one model of an experiment."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from cloche.aws.operation import Context, Kept, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.experiments import memberships
from cloche.services.sagemaker.experiments.experiment import EXPERIMENT
from cloche.services.sagemaker.experiments.facts import absent, taken
from cloche.storage.metadata.records import Record

HAS_COMPONENTS: Final = fact(
    "ValidationException",
    "Trial '{arn}' is linked to 1 or more trial components and cannot be deleted.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteTrial.html; words: after those of"
    " DeleteTrialComponent",
)


class Trial(Resource):
    """Part of one experiment, holding any number of components."""

    operations: ClassVar = ("CreateTrial", "DescribeTrial", "ListTrials", "UpdateTrial", "DeleteTrial")
    arn: ClassVar = "experiment-trial/{TrialName}"
    missing: ClassVar[Fact] = absent("Trial")
    duplicate: ClassVar[Fact] = taken("Trial")
    filters: ClassVar = {
        "TrialComponentName": (
            "EXISTS (SELECT 1 FROM trial_members m JOIN records c ON c.arn = m.component"
            " WHERE m.trial = records.arn AND c.name = ?)"
        ),
    }

    def check(self, ctx: Context, request: Members) -> None:
        EXPERIMENT.find(ctx, ctx.parts.database.reader, request["ExperimentName"])

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        EXPERIMENT.find(ctx, tx, request["ExperimentName"])  # it may have gone since it was checked

    def page(self, ctx: Context, request: Members) -> Kept:
        if "ExperimentName" in request:
            EXPERIMENT.find(ctx, ctx.parts.database.reader, request["ExperimentName"])
        return super().page(ctx, request)

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        if memberships.has_members(tx, record.arn):
            raise HAS_COMPONENTS.error(arn=record.arn)
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        source = record.state.get("source")
        return {
            "DisplayName": record.request.get("DisplayName") or record.name,
            "Source": source,
            "TrialSource": source,
        }


TRIAL: Final = Trial()
