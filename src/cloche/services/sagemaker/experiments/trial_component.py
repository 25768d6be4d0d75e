"""Trial components: one step of a trial, with what went in, what came out, its parameters and its metrics.

AWS treats the names of components without regard to case: components of jobs have small letters only, and clients ask
for them by the job's own name (sagemaker.lineage.visualizer). So a name that is not there is looked for once more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import ClassVar, Final

from cloche.aws.operation import Context, Kept, Members, operation
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.experiments import memberships
from cloche.engines.experiments.summaries import Summary, deviation, metrics_in
from cloche.engines.lineage import edges
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.experiments.experiment import EXPERIMENT
from cloche.services.sagemaker.experiments.facts import absent, taken
from cloche.services.sagemaker.experiments.trial import TRIAL
from cloche.services.sagemaker.lineage.facts import group_arn
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

LINKED: Final = fact(
    "ValidationException",
    "TrialComponent '{arn}' is linked to 1 or more trials and cannot be deleted.",
    source="aws/sagemaker-python-sdk#1515",
)
NOT_LINKED: Final = fact(
    "ResourceNotFound",
    "TrialComponent '{component}' is not linked to Trial '{trial}'.",
    source="code: errors of DisassociateTrialComponent in the model; words: Cloche's own",
)
# Maxima of the maps in the model's CreateTrialComponent; an update adds to what is there.
MAPS: Final = {"Parameters": 300, "InputArtifacts": 60, "OutputArtifacts": 60}


_OF_TRIAL: Final = (
    "EXISTS (SELECT 1 FROM trial_members m JOIN records t ON t.arn = m.trial WHERE m.component = records.arn AND {})"
)


class TrialComponent(Resource):
    """A step: a job, or a run that a user's own code reports."""

    operations: ClassVar = (
        "CreateTrialComponent",
        "DescribeTrialComponent",
        "ListTrialComponents",
        "UpdateTrialComponent",
        "DeleteTrialComponent",
    )
    arn: ClassVar = "experiment-trial-component/{TrialComponentName}"
    missing: ClassVar[Fact] = absent("TrialComponent")
    duplicate: ClassVar[Fact] = taken("TrialComponent")
    filters: ClassVar = {
        "SourceArn": "lower(json_extract(state, '$.source.SourceArn')) = lower(?)",
        "TrialName": _OF_TRIAL.format("t.name = ?"),
        "ExperimentName": _OF_TRIAL.format("json_extract(t.request, '$.ExperimentName') = ?"),
    }

    def find(self, ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
        found = records.find(connection, ctx.account, ctx.region, self.kind, name)
        if found is None and name != name.lower():
            found = records.find(connection, ctx.account, ctx.region, self.kind, name.lower())
        return found or super().find(ctx, connection, name)

    def describe(self, ctx: Context, request: Members) -> Kept:
        name = self.identify(ctx, request)
        if name != name.lower():
            name = self.find(ctx, ctx.parts.database.reader, name).name
        return super().describe(ctx, {"TrialComponentName": name})

    def check(self, ctx: Context, request: Members) -> None:
        _check_parameters(request)

    def page(self, ctx: Context, request: Members) -> Kept:
        reader = ctx.parts.database.reader
        if "ExperimentName" in request:
            EXPERIMENT.find(ctx, reader, request["ExperimentName"])
        if "TrialName" in request:
            TRIAL.find(ctx, reader, request["TrialName"])
        return super().page(ctx, request)

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        """Of parameters and artifacts the names given are added or replaced, and those to remove taken away
        (API_UpdateTrialComponent)."""
        _check_parameters(request)
        kept = super().updated(ctx, tx, record, {k: v for k, v in request.items() if not k.endswith("ToRemove")})
        for name, most in MAPS.items():
            if name not in request and f"{name}ToRemove" not in request:
                continue
            held = {**record.request.get(name, {}), **request.get(name, {})}
            for key in request.get(f"{name}ToRemove", ()):
                held.pop(key, None)
            if len(held) > most:
                raise Invalid(f"A trial component may have no more than {most} {name}", field=name)
            kept[name] = held
        return kept

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        if memberships.trials_of(tx, record.arn):
            raise LINKED.error(arn=record.arn)
        edges.remove_all(tx, record.arn)
        super().deleted(ctx, tx, record)

    def shown(self, ctx: Context, record: Record) -> Members:
        source = record.state.get("source")
        return {
            # "If DisplayName isn't specified, TrialComponentName is displayed." (API_CreateTrialComponent)
            "DisplayName": record.request.get("DisplayName") or record.name,
            "Source": source,
            "TrialComponentSource": source,
            "RunName": record.state.get("run_name"),
            "LineageGroupArn": group_arn(record),
            "Metrics": list(_metrics(record, source)),
        }


def _metrics(record: Record, source: Members | None) -> Iterator[Members]:
    for name, held in metrics_in(record.state).items():
        yield {"MetricName": name, "SourceArn": (source or {}).get("SourceArn", record.arn), **_numbers(held)}


def _numbers(held: Summary) -> Members:
    return {
        "TimeStamp": from_epoch(held["last_at"]),
        "Max": held["max"],
        "Min": held["min"],
        "Last": held["last"],
        "Count": held["count"],
        "Avg": held["mean"],
        "StdDev": deviation(held),
    }


def _check_parameters(request: Members) -> None:
    for name, value in (request.get("Parameters") or {}).items():
        if len(value) != 1:
            # API_TrialComponentParameterValue: "Only one of NumberValue or StringValue can be specified."
            raise Invalid(f"Parameter {name}: specify either NumberValue or StringValue", field="Parameters")


TRIAL_COMPONENT: Final = TrialComponent()


@operation("AssociateTrialComponent")
def associate_trial_component(ctx: Context, request: Members) -> Members:
    """Once or again: a component that is part of the trial stays so."""

    def change(tx: sqlite3.Connection) -> Members:
        component, trial = _both(ctx, tx, request)
        memberships.put(tx, component.arn, trial.arn, ctx.now.timestamp())
        return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}

    answer: Members = ctx.parts.database.write(change)
    return answer


@operation("DisassociateTrialComponent")
def disassociate_trial_component(ctx: Context, request: Members) -> Members:
    def change(tx: sqlite3.Connection) -> Members:
        component, trial = _both(ctx, tx, request)
        if not memberships.remove(tx, component.arn, trial.arn):
            raise NOT_LINKED.error(component=component.name, trial=trial.name)
        return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}

    answer: Members = ctx.parts.database.write(change)
    return answer


def _both(ctx: Context, tx: sqlite3.Connection, request: Members) -> tuple[Record, Record]:
    return TRIAL_COMPONENT.find(ctx, tx, request["TrialComponentName"]), TRIAL.find(ctx, tx, request["TrialName"])
