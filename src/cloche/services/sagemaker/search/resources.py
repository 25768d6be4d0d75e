"""The nouns that can be searched: how each is filed, shaped and shown, and where members lie that no request holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final

from cloche.aws.model.load import service_model
from cloche.aws.operation import Context, Members
from cloche.aws.resource import Resource, tagging
from cloche.aws.resource.projection import Projector, projector
from cloche.services.sagemaker.experiments.experiment import Experiment
from cloche.services.sagemaker.experiments.trial import Trial
from cloche.services.sagemaker.experiments.trial_component import TrialComponent
from cloche.services.sagemaker.hosting.endpoint import Endpoint
from cloche.services.sagemaker.hosting.model import Model
from cloche.services.sagemaker.search import related
from cloche.services.sagemaker.search.properties import Keyed, Place, Property, Resolver, unknown
from cloche.services.sagemaker.training.training_job import TrainingJob
from cloche.storage.metadata import tags
from cloche.storage.metadata.records import Record

More = Callable[[Context, sqlite3.Connection, Record], Members]


def _nothing(ctx: Context, reader: sqlite3.Connection, record: Record) -> Members:
    return {}


def _state(path: str) -> Place:
    """Engines publish times as plain seconds."""
    return Place("records.state", f"$.{path}")


def _column(name: str) -> Place:
    return Place(f"records.{name}", plain=True)


def _tag(key: str) -> Property:
    sql = "(SELECT value FROM tags WHERE tags.arn = records.arn AND tags.key = ?)"
    return Property(f"Tags.{key}", "text", sql, (key,))


_STATISTICS: Final = {"max": "max", "min": "min", "last": "last", "count": "count", "avg": "mean"}
"""Of a metric's summary: as filters name them → as the record's state holds them."""
_DEVIATION: Final = (
    "(SELECT CASE WHEN n > 1 THEN sqrt(s / (n - 1)) ELSE 0.0 END FROM"
    " (SELECT json_extract(records.state, ?) AS n, json_extract(records.state, ?) AS s) WHERE n IS NOT NULL)"
)


def _metric_of_component(rest: str) -> Property:
    """``Metrics.<name>.<statistic>``; without a statistic the last value."""
    name, _, statistic = rest.rpartition(".")
    if '"' in rest:
        raise unknown(f"Metrics.{rest}")
    if statistic.lower() == "stddev" and name:
        path = f'$.metrics."{name}"'
        return Property(f"Metrics.{rest}", "number", _DEVIATION, (f"{path}.count", f"{path}.squares"))
    if not name or statistic.lower() not in _STATISTICS:
        name, statistic = rest, "last"
    path = f'$.metrics."{name}".{_STATISTICS[statistic.lower()]}'
    return Property(f"Metrics.{rest}", "number", "json_extract(records.state, ?)", (path,))


def _metric_of_job(name: str) -> Property:
    sql = (
        "(SELECT json_extract(value, '$[1]') FROM json_each(records.state, '$.metrics')"
        " WHERE json_extract(value, '$[0]') = ?)"
    )
    return Property(f"Metrics.{name}", "number", sql, (name,))


@dataclass(frozen=True)
class Searched:
    """One resource type. ``member`` is the member of a SearchRecord that holds what is found."""

    noun: type[Resource]
    member: str
    places: Mapping[str, Place] = field(default_factory=dict)
    keyed: Mapping[str, Keyed] = field(default_factory=dict)
    more: More = _nothing
    wrapped: str = ""
    """The member of the answer's structure that the noun's own members are in, where it is not that structure."""

    @cached_property
    def resource(self) -> Resource:
        return self.noun()

    @cached_property
    def shape(self) -> Any:
        record: Any = service_model("sagemaker").shape_for("SearchRecord")
        return record.members[self.member]

    @cached_property
    def _projector(self) -> Projector:
        return projector(self.shape)

    @cached_property
    def resolver(self) -> Resolver:
        create: Any = service_model("sagemaker").operation_model(self.noun.operations[0]).input_shape
        name = self.noun.arn[self.noun.arn.index("{") + 1 : self.noun.arn.index("}")]
        noun = self.noun.operations[0].removeprefix("Create")
        places = {
            name: _column("name"),
            f"{noun}Arn": _column("arn"),
            "CreationTime": _column("created_at"),
            "LastModifiedTime": _column("modified_at"),
            **({self.noun.status: _column("status")} if self.noun.status else {}),
            **self.places,
        }
        keyed = {"Tags": _tag, **self.keyed}
        return Resolver(self.shape, places, keyed, frozenset(create.members) - frozenset(places))

    def shown(self, ctx: Context, reader: sqlite3.Connection, record: Record) -> Members:
        members = self.resource.members_of(ctx, record)
        members["Tags"] = tagging.tag_members(tags.read(reader, record.arn)) or None
        whole = {self.wrapped: members} if self.wrapped else members
        return {self.member: self._projector({**whole, **self.more(ctx, reader, record)})}


_FLAGS: Final = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


def _flag(name: str) -> Place:
    """What is not said is false, and shown so."""
    return Place(f"coalesce(json_extract(records.request, '$.{name}'), 0)", plain=True)


_DISPLAY_NAME: Final = Place("coalesce(json_extract(records.request, '$.DisplayName'), records.name)", plain=True)
_PARENTS: Final = Place(
    "(SELECT json_group_array(json_object('TrialName', t.name, 'ExperimentName',"
    " json_extract(t.request, '$.ExperimentName'))) FROM trial_members m JOIN records t ON t.arn = m.trial"
    " WHERE m.component = records.arn)"
)


@cache
def resources() -> dict[str, Searched]:
    """By ``ResourceType``. What is not here cannot be made in Cloche, so that nothing of it is ever found."""
    return {
        "TrainingJob": Searched(
            TrainingJob,
            "TrainingJob",
            {
                "SecondaryStatus": _state("secondary_status"),
                "FailureReason": _state("failure_reason"),
                "TrainingStartTime": _state("started_at"),
                "TrainingEndTime": _state("ended_at"),
                "ModelArtifacts.S3ModelArtifacts": _state("model_artifacts"),
                "WarmPoolStatus.Status": _state("warm_pool.status"),
                **{flag: _flag(flag) for flag in _FLAGS},
                "TuningJobArn": Place("records.request", "$.TuningJobArn"),
            },
            {"Metrics": _metric_of_job},
        ),
        "Experiment": Searched(Experiment, "Experiment", {"DisplayName": _DISPLAY_NAME, "Source": _state("source")}),
        "ExperimentTrial": Searched(
            Trial,
            "Trial",
            {"DisplayName": _DISPLAY_NAME, "Source": _state("source")},
            more=related.components_of_trial,
        ),
        "ExperimentTrialComponent": Searched(
            TrialComponent,
            "TrialComponent",
            {
                "DisplayName": _DISPLAY_NAME,
                "Source": _state("source"),
                "RunName": _state("run_name"),
                "Parents": _PARENTS,
            },
            {"Metrics": _metric_of_component},
            more=related.parents_and_source,
        ),
        "Endpoint": Searched(Endpoint, "Endpoint"),
        "Model": Searched(
            Model,
            "Model",
            {
                "Model": Place("records.request", times='."$at"'),
                "Model.ModelName": _column("name"),
                "Model.ModelArn": _column("arn"),
                "Model.CreationTime": _column("created_at"),
                "Model.EnableNetworkIsolation": _flag("EnableNetworkIsolation"),
            },
            wrapped="Model",
        ),
    }
