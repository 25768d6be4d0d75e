"""constraint_violations.json of a data-quality run: every check that AWS has.

Which there are: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-violations.html. When they fire and
what they say is known of ``data_type_check`` to the last character, of the column checks by their numbers, of
``baseline_drift_check`` by the end of its sentence (``distance: x exceeds threshold: y``); the rest of the wording is
Cloche's. ``is_non_negative`` is written but never enforced, as by AWS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cloche_jobs.monitor import distances
from cloche_jobs.monitor.column import Column
from cloche_jobs.monitor.documents import java_double
from cloche_jobs.monitor.rules import Feature, Rules
from cloche_jobs.monitor.sketch import Sketch
from cloche_jobs.monitor.tables import Table

Violation = dict[str, str]


def violations_of(table: Table, rules: Rules, baseline: Mapping[str, Any], by_name: bool) -> list[Violation]:
    """``baseline`` holds the features of statistics.json by name. Columns are those of the same name, or
    of the same place; where there are not as many, nothing else can be said of columns by place."""
    found = list(_of_columns(table, rules, by_name)) if rules.evaluate else []
    if found and not by_name:
        return found
    for feature, column in pairs(table, rules, by_name):
        found += _of_feature(feature, column, baseline.get(feature.name))
    return found


def pairs(table: Table, rules: Rules, by_name: bool) -> Iterator[tuple[Feature, Column]]:
    if by_name:
        yield from ((each, table.columns[each.name]) for each in rules.features if each.name in table.columns)
    elif len(table.columns) == len(rules.features):
        yield from zip(rules.features, table.columns.values(), strict=True)


def _of_columns(table: Table, rules: Rules, by_name: bool) -> Iterator[Violation]:
    names = [feature.name for feature in rules.features]
    now, then = len(table.columns), len(names)
    missing = [name for name in names if name not in table.columns] if by_name else []
    extra = [name for name in table.columns if name not in rules.by_name] if by_name else []
    for is_wrong, word, which in ((now < then or missing, "missing", missing), (now > then or extra, "extra", extra)):
        if is_wrong:
            told = f". They are: {', '.join(which[:20])}{' and others' if len(which) > 20 else ''}" if which else ""
            yield _violation(
                f"{word.capitalize()} columns",
                f"{word}_column_check",
                f"There are {word} columns in current dataset. Number of columns in current dataset: {now}, "
                f"Number of columns in baseline constraints: {then}{told}",
            )


def _of_feature(feature: Feature, column: Column, baseline: Mapping[str, Any] | None) -> Iterator[Violation]:
    if not feature.rules.evaluate:
        return
    kinds, rules = column.kinds, feature.rules
    share = kinds.share(feature.type)
    if feature.type != "Unknown" and share < rules.data_type_threshold:
        yield _violation(
            feature.name,
            "data_type_check",
            f"Data type match requirement is not met. Expected data type: {feature.type}, Expected match: "
            f"{_percent(rules.data_type_threshold)}. Observed: Only {_percent(share)} of data is {feature.type}.",
        )
    completeness = kinds.present / (kinds.present + kinds.missing) if kinds.present + kinds.missing else 0.0
    if feature.completeness is not None and completeness < feature.completeness:
        yield _violation(
            feature.name,
            "completeness_check",
            f"Completeness requirement is not met. Expected completeness: {_percent(feature.completeness)}. "
            f"Observed: Only {_percent(completeness)} of data is complete.",
        )
    yield from _of_domain(feature, column)
    apart = drift(feature, column, baseline)
    if apart is not None and apart.is_violation:
        yield _violation(
            feature.name,
            "baseline_drift_check",
            f"Baseline drift {apart.measure}: {java_double(apart.value)} {apart.verb} threshold: "
            f"{java_double(apart.threshold)}",
        )


def _of_domain(feature: Feature, column: Column) -> Iterator[Violation]:
    if feature.domains is None or feature.type != "String" or not column.kinds.present:
        return
    known = column.known / column.kinds.present
    if known < feature.rules.domain_threshold:
        yield _violation(
            feature.name,
            "categorical_values_check",
            f"Categorical values requirement is not met. Expected match: {_percent(feature.rules.domain_threshold)}. "
            f"Observed: Only {_percent(known)} of data is in the domain of the baseline.",
        )


class Drift:
    """A distance from the baseline: above its threshold is too far; a p-value is when below."""

    def __init__(self, value: float, threshold: float, *, is_probability: bool = False) -> None:
        self.value, self.threshold = value, threshold
        self.measure, self.verb = ("p-value", "is below") if is_probability else ("distance", "exceeds")
        self.is_violation = value < threshold if is_probability else value > threshold


def drift(feature: Feature, column: Column, baseline: Mapping[str, Any] | None) -> Drift | None:
    """``None`` where nothing can be compared: no baseline, other types, too many categories, no cells."""
    rules = feature.rules
    if baseline is None or not rules.compare or not column.kinds.present:
        return None
    numbers, strings = baseline.get("numerical_statistics"), baseline.get("string_statistics")
    robust = rules.method == "Robust"
    if numbers and column.kinds.is_number:
        data = numbers.get("distribution", {}).get("kll", {}).get("sketch", {}).get("data")
        if not data or not any(data):
            return None
        return Drift(distances.numeric(column.sketch, Sketch.of_levels(data), robust=robust), rules.threshold)
    counts = column.values.counts
    if not strings or not counts:
        return None
    buckets = strings.get("distribution", {}).get("categorical", {}).get("buckets")
    then = {str(each["value"]): int(each["count"]) for each in buckets or () if each["count"]}
    if not then:
        return None
    if rules.categorical_method == "ChiSquared":
        value = distances.chi_squared(counts, then)
        return None if math.isnan(value) else Drift(value, rules.categorical_threshold, is_probability=True)
    return Drift(distances.categorical(counts, then, robust=robust), rules.categorical_threshold)


def _violation(name: str, check: str, description: str) -> Violation:
    return {"feature_name": name, "constraint_check_type": check, "description": description}


def _percent(share: float) -> str:
    return f"{java_double(share * 100)}%"
