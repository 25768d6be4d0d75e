"""constraint_violations.json of a data-quality run: every check that AWS has.

Which there are: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-violations.html. When they fire and
what they say is known of ``data_type_check`` to the last character, of the column checks by their numbers, of
``baseline_drift_check`` by the end of its sentence (``distance: x exceeds threshold: y``); the rest of the wording is
Cloche's. ``is_non_negative`` is written but never enforced, as by AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloche_jobs.monitor.column import Column
from cloche_jobs.monitor.documents import java_double
from cloche_jobs.monitor.drifts import Drift, pairs
from cloche_jobs.monitor.rules import Feature, Rules
from cloche_jobs.monitor.tables import Table

Violation = dict[str, str]


def violations_of(table: Table, rules: Rules, drifts: Mapping[str, Drift], by_name: bool) -> list[Violation]:
    """Columns are those of the same name, or of the same place; where there are not as many, nothing else can be said
    of columns by place."""
    found = list(_of_columns(table, rules, by_name)) if rules.evaluate else []
    if found and not by_name:
        return found
    for feature, column in pairs(table, rules, by_name):
        if feature.rules.evaluate:
            found += _of_feature(feature, column, drifts.get(feature.name))
    return found


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


def _of_feature(feature: Feature, column: Column, drift: Drift | None) -> Iterator[Violation]:
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
    if drift is not None and drift.is_violation:
        measure, verb = ("p-value", "is below") if drift.is_probability else ("distance", "exceeds")
        yield _violation(
            feature.name,
            "baseline_drift_check",
            f"Baseline drift {measure}: {java_double(drift.value)} {verb} threshold: {java_double(drift.threshold)}",
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


def _violation(name: str, check: str, description: str) -> Violation:
    return {"feature_name": name, "constraint_check_type": check, "description": description}


def _percent(share: float) -> str:
    return f"{java_double(share * 100)}%"
