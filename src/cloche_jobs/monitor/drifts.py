"""The baseline's distributions, read from its statistics.json, and how far a run's features are from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor import distances
from cloche_jobs.monitor.column import Column
from cloche_jobs.monitor.rules import Feature, Rules
from cloche_jobs.monitor.sketch import Sketch
from cloche_jobs.monitor.tables import Table


@dataclass(frozen=True, slots=True)
class Known:
    """One feature's distribution: of numbers, of categories, or of neither (too many categories, no cells)."""

    sketch: Sketch | None = None
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    value: float
    threshold: float
    is_probability: bool = False
    """Of being the same: too far is what is below its threshold. A distance is too far above it."""

    @property
    def is_violation(self) -> bool:
        return self.value < self.threshold if self.is_probability else self.value > self.threshold


def read_baseline(document: Mapping[str, Any]) -> dict[str, Known]:
    """Raises ``UserError`` for a document that is no data-quality statistics.json."""
    try:
        return {str(each["name"]): _known(each) for each in document["features"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the baseline statistics are malformed: {type(error).__name__} {error}") from error


def _known(feature: Mapping[str, Any]) -> Known:
    numbers, strings = feature.get("numerical_statistics"), feature.get("string_statistics")
    if numbers:
        data = ((numbers.get("distribution") or {}).get("kll") or {}).get("sketch", {}).get("data")
        return Known(sketch=Sketch.of_levels(data)) if data and any(data) else Known()
    if strings:
        buckets = ((strings.get("distribution") or {}).get("categorical") or {}).get("buckets") or ()
        counts = {str(each["value"]): int(each["count"]) for each in buckets if each["count"]}
        return Known(counts=counts or None)
    return Known()


def drifts_of(pairs: Iterator[tuple[Feature, Column]], baseline: Mapping[str, Known]) -> dict[str, Drift]:
    """By the feature's name, of all that can be compared."""
    found = ((feature.name, _drift(feature, column, baseline.get(feature.name))) for feature, column in pairs)
    return {name: drift for name, drift in found if drift is not None}


def pairs(table: Table, rules: Rules, by_name: bool) -> Iterator[tuple[Feature, Column]]:
    """Features of the baseline and the columns of the run that they are: of the same name, or of the same place."""
    if by_name:
        yield from ((each, table.columns[each.name]) for each in rules.features if each.name in table.columns)
    elif len(table.columns) == len(rules.features):
        yield from zip(rules.features, table.columns.values(), strict=True)


def _drift(feature: Feature, column: Column, known: Known | None) -> Drift | None:
    rules, counts = feature.rules, column.values.counts
    if known is None or not rules.compare or not column.kinds.present:
        return None
    robust = rules.method == "Robust"
    if known.sketch is not None and column.kinds.is_number:
        return Drift(distances.numeric(column.sketch, known.sketch, robust=robust), rules.threshold)
    if known.counts is None or not counts:
        return None
    if rules.categorical_method == "ChiSquared":
        value = distances.chi_squared(counts, known.counts)
        return None if math.isnan(value) else Drift(value, rules.categorical_threshold, is_probability=True)
    return Drift(distances.categorical(counts, known.counts, robust=robust), rules.categorical_threshold)
