"""Ranges of hyperparameters, and their place in the unit cube.

A search knows the cube alone: a range says which value a coordinate is. Scales: docs.aws.amazon.com/sagemaker/latest/
dg/automatic-model-tuning-define-ranges.html. What ``Auto`` chooses AWS does not tell; here it is the logarithmic scale
where all values are positive and the ends lie two orders of magnitude apart, else the linear one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Kind = Literal["Integer", "Continuous", "Categorical"]
Scale = Literal["Linear", "Logarithmic", "ReverseLogarithmic"]
ORDERS_APART: Final = 100.0
STEPS_MAX: Final = 1_000
"""A range of more whole numbers is as good as continuous to a search."""


@dataclass(frozen=True, slots=True)
class Range:
    """``low`` and ``high`` belong to it. ``values`` are a categorical range's, as the training job gets them."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    scaling: str = "Auto"
    values: tuple[str, ...] = ()

    @property
    def scale(self) -> Scale:
        if self.scaling in ("Logarithmic", "ReverseLogarithmic"):
            return self.scaling  # type: ignore[return-value]
        if self.scaling == "Auto" and self.low > 0 and self.high / self.low >= ORDERS_APART:
            return "Logarithmic"
        return "Linear"

    @property
    def count(self) -> float:
        """How many values there are; infinite for a continuous range."""
        if self.kind == "Categorical":
            return len(self.values)
        if self.kind == "Integer" or self.low == self.high:
            return self.high - self.low + 1
        return math.inf

    @property
    def dimension(self) -> tuple[str, int]:
        """The axis as ``cloche_jobs.tuning.search`` wants it told."""
        if self.kind == "Categorical":
            return "choice", len(self.values)
        if self.kind == "Integer" and self.scale == "Linear" and self.count <= STEPS_MAX:
            return "steps", int(self.count)
        return "number", 0

    def value_at(self, place: float) -> str:
        """The value at a coordinate from 0 to 1."""
        place = min(max(place, 0.0), 1.0)
        if self.kind == "Categorical":
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        if self.kind == "Integer" and self.scale == "Linear":
            return str(int(self.low) + min(int(place * self.count), int(self.count) - 1))
        number = min(max(self._number_at(place), self.low), self.high)
        return str(round(number)) if self.kind == "Integer" else repr(number)

    def place_of(self, value: str) -> float | None:
        """The coordinate of a value; ``None`` for one that is not in the range."""
        if self.kind == "Categorical":
            return (self.values.index(value) + 0.5) / len(self.values) if value in self.values else None
        try:
            number = float(value)
        except ValueError:
            return None
        if not self.low <= number <= self.high:
            return None
        if self.low == self.high:
            return 0.5
        if self.kind == "Integer" and self.scale == "Linear":
            return (number - self.low + 0.5) / self.count
        return self._place_of(number)

    def _number_at(self, place: float) -> float:
        if self.scale == "Logarithmic":
            return math.exp(math.log(self.low) + place * math.log(self.high / self.low))
        if self.scale == "ReverseLogarithmic":
            rest = math.log(1 - self.low) + place * math.log((1 - self.high) / (1 - self.low))
            return 1 - math.exp(rest)
        return self.low + place * (self.high - self.low)

    def _place_of(self, number: float) -> float:
        if self.scale == "Logarithmic":
            return math.log(number / self.low) / math.log(self.high / self.low)
        if self.scale == "ReverseLogarithmic":
            return math.log((1 - number) / (1 - self.low)) / math.log((1 - self.high) / (1 - self.low))
        return (number - self.low) / (self.high - self.low)

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Range:
        return Range(**{**data, "values": tuple(data["values"])})
