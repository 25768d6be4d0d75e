"""What a tuning job is to do, decided when it is created and never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cloche.engines.tuning.ranges import Range


@dataclass(frozen=True, slots=True)
class Objective:
    metric: str
    maximize: bool

    def better(self, one: float, other: float) -> bool:
        return one > other if self.maximize else one < other

    def loss(self, value: float) -> float:
        """Smaller is better."""
        return -value if self.maximize else value


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of training job. ``request`` is a CreateTrainingJob without name, tags and tuned hyperparameters."""

    name: str
    """Empty where the tuning job has a single definition, which needs none."""
    role: str
    objective: Objective
    ranges: tuple[Range, ...]
    request: Mapping[str, Any]

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Definition:
        return Definition(
            **{
                **data,
                "objective": Objective(**data["objective"]),
                "ranges": tuple(Range.from_data(each) for each in data["ranges"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """When enough is enough, besides the limits on jobs and time. AWS's TuningJobCompletionCriteria."""

    target: float | None = None
    not_improving_max: int | None = None
    on_convergence: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """A parent's trial as a warm start knows it."""

    definition: int
    point: tuple[float, ...]
    loss: float
    noise: float
    """How little it is to be believed: 0 for the same data and algorithm."""


@dataclass(frozen=True, slots=True)
class Plan:
    arn: str
    name: str
    account: str
    region: str
    strategy: str
    """Grid, Random, Bayesian or Hyperband."""
    seed: int
    definitions: tuple[Definition, ...]
    jobs_max: int
    parallel_max: int
    runtime_seconds_max: float | None = None
    early_stopping: bool = False
    """By the median rule."""
    min_resource: int = 1
    max_resource: int = 1
    """Both of Hyperband: numbers of values of the objective metric."""
    completion: Completion = field(default_factory=Completion)
    observations: tuple[Observation, ...] = ()
    parent_best: Mapping[str, Any] | None = None
    """The best training job of the parents, where the data and the algorithm are the same."""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def watches_metrics(self) -> bool:
        return self.early_stopping or self.strategy == "Hyperband"

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Plan:
        return Plan(
            **{
                **data,
                "definitions": tuple(Definition.from_data(each) for each in data["definitions"]),
                "completion": Completion(**data["completion"]),
                "observations": tuple(
                    Observation(**{**each, "point": tuple(each["point"])}) for each in data["observations"]
                ),
                "tags": tuple((key, value) for key, value in data["tags"]),
            }
        )
