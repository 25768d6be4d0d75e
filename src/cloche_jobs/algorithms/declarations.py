"""How an algorithm declares itself: hyperparameters, channels, metrics.

A declaration is used three times: by the job, which refuses what breaks it; by the server, for
``MetricDefinitions`` and reference pages; by tests, which derive a broken value for every rule. Messages and the
order of checks are those of ``sagemaker_algorithm_toolkit`` in aws/sagemaker-xgboost-container: first required ones
and defaults, then unknown names, then parsing, then ranges, then rules between hyperparameters. The first broken
rule is the one reported, as AWS does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.content_types import media_type

Values = dict[str, Any]
Type = Literal["Integer", "Continuous", "Categorical", "List", "Nested", "Tuple"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A range of numbers; an end that is ``None`` is open to infinity."""

    min: float | None = None
    max: float | None = None
    min_open: bool = False
    max_open: bool = False

    def __contains__(self, value: float) -> bool:
        if value != value:  # not a number is in no interval
            return False
        if self.min is not None and (value <= self.min if self.min_open else value < self.min):
            return False
        return not (self.max is not None and (value >= self.max if self.max_open else value > self.max))

    def __str__(self) -> str:
        low = "(-inf" if self.min is None else f"{'(' if self.min_open else '['}{self.min}"
        high = "+inf)" if self.max is None else f"{self.max}{')' if self.max_open else ']'}"
        return f"{low}, {high}"


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One declared name. ``default`` is documentation: what the engine does when the name is not given."""

    name: str
    type: Type
    range: Interval | tuple[Any, ...]
    default: str | None = None
    required: bool = False
    tunable: Interval | None = None
    """The range AWS recommends for tuning; ``None`` where it cannot be tuned."""
    check: Callable[[str], bool] | None = None
    """Decides for one element of a ``List`` instead of ``range``; may raise ``UserError`` itself."""
    description: str = ""

    def parse(self, value: Any) -> Any:
        """The value the engine gets. Raises ``UserError``."""
        try:
            return _PARSERS[self.type](value)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
            cause = type(error).__name__
            raise UserError(f"Hyperparameter {self.name}: could not parse value (caused by {cause})") from error

    def check_range(self, value: Any) -> None:
        """Raises ``UserError`` in AWS's words."""
        if self.type in ("Integer", "Continuous", "Categorical"):
            if not self._holds(value):
                raise UserError(f"Hyperparameter {self.name}: {value} is not in {self.shown_range()}")
            return
        elements = [inner for outer in value for inner in outer] if self.type == "Nested" else value
        if not all((self.check or self._holds)(element) for element in elements):
            raise UserError(f"Hyperparameter {self.name}: value {value} not in range {self.shown_range()}")

    def _holds(self, value: Any) -> bool:
        return value in self.range

    def shown_range(self) -> str:
        return str(self.range) if isinstance(self.range, Interval) else str(list(self.range))


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    if isinstance(value, str) and len(value) > 64:
        raise ValueError("too long")
    return int(value)


def _nested(value: Any) -> list[list[int]]:
    parsed = _literal(value)
    if not isinstance(parsed, list | tuple) or not all(isinstance(inner, list | tuple) for inner in parsed):
        raise ValueError("expected a list of lists")
    return [[_integer(element) for element in inner] for inner in parsed]


def _tuple(value: Any) -> tuple[int, ...]:
    parsed = _literal(value)
    if isinstance(parsed, int):
        return (parsed,)
    if not isinstance(parsed, list | tuple):
        raise ValueError("expected a tuple")
    return tuple(_integer(element) for element in parsed)


def _literal(value: Any) -> Any:
    """Python literals only; AWS's container evaluates tuples as code, which Cloche does not."""
    if not isinstance(value, str):
        return value
    if len(value) > 65_536:
        raise ValueError("too long")
    return ast.literal_eval(value)


_PARSERS: Final[dict[Type, Callable[[Any], Any]]] = {
    "Integer": _integer,
    "Continuous": float,
    "Categorical": str,
    "List": lambda value: str(value).split(","),
    "Nested": _nested,
    "Tuple": _tuple,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A relation between hyperparameters; ``check(value, all_values)`` raises ``UserError``."""

    name: str
    depends_on: tuple[str, ...]
    check: Callable[[Any, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    declared: Sequence[Hyperparameter]
    aliases: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[Rule] = ()

    def __getitem__(self, name: str) -> Hyperparameter:
        return next(declared for declared in self.declared if declared.name == name)

    def validate(self, given: Mapping[str, Any]) -> Values:
        """Parsed values under their own names, only those given. Raises ``UserError`` for the first broken rule."""
        given = {self.aliases.get(name, name): value for name, value in given.items()}
        by_name = {declared.name: declared for declared in self.declared}
        for declared in self.declared:
            if declared.required and declared.name not in given:
                raise UserError(f"Missing required hyperparameter: {declared.name}")
        values: Values = {}
        for name, value in given.items():
            if name not in by_name:
                raise UserError(f"Extraneous hyperparameter found: {name}")
            values[name] = by_name[name].parse(value)
        for name, value in values.items():
            by_name[name].check_range(value)
        for rule in self.rules:
            if rule.name in values:
                rule.check(values[rule.name], values)
        return values


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    name: str
    required: bool
    content_types: tuple[str, ...]
    piped_content_types: tuple[str, ...] = ()
    """Those that may come through a pipe too."""


@dataclass(frozen=True, slots=True)
class Channels:
    """``default_content_type`` is what a channel without ``ContentType`` holds."""

    declared: Sequence[ChannelSpec]
    default_content_type: str

    def validate(self, given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """The channels with their content types filled in. Raises ``UserError`` in AWS's words."""
        for declared in self.declared:
            if declared.required and declared.name not in given:
                raise UserError(f"Missing required channel: {declared.name}")
        by_name = {declared.name: declared for declared in self.declared}
        channels = {}
        for name, channel in given.items():
            if name not in by_name:
                raise UserError(f"Extraneous channel found: {name}")
            declared, full = by_name[name], {"ContentType": self.default_content_type, **channel}
            is_piped = full.get("TrainingInputMode") == "Pipe"
            supported = declared.piped_content_types if is_piped else declared.content_types
            if media_type(full["ContentType"])[0] not in supported:
                raise UserError(f"Channel configuration for '{name}' channel is not supported: {full}")
            channels[name] = full
        return channels


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of ``AlgorithmSpecification.MetricDefinitions``."""

    name: str
    regex: str
    direction: Literal["Maximize", "Minimize"] | None = None
    """``None``: shown, but not offered to tuning."""

    def find(self, stored_line: str) -> float | None:
        """The metric's value in a line as it is stored (``contract.loglines``), if it is there."""
        match = re.search(self.regex, stored_line)
        if match is None:
            return None
        try:
            return float(match[1])
        except ValueError:
            return None


def metric_definitions(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """In the form of the API."""
    return [{"Name": metric.name, "Regex": metric.regex} for metric in metrics]
