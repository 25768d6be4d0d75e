"""Data quality: a baseline, or a run that is held against one.

Without ``baseline_constraints`` the job is a baseline: statistics and suggested constraints. With them it is a run:
the same of the data at hand, and what violates the baseline's constraints.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor import captured, documents, metrics, scripts
from cloche_jobs.monitor.checks import violations_of
from cloche_jobs.monitor.constraints import suggested
from cloche_jobs.monitor.data_sets import table_blocks
from cloche_jobs.monitor.drifts import drifts_of, pairs, read_baseline
from cloche_jobs.monitor.files import files_of
from cloche_jobs.monitor.outcome import Outcome
from cloche_jobs.monitor.rows import blocks_of
from cloche_jobs.monitor.rules import Rules, read_rules
from cloche_jobs.monitor.settings import Settings
from cloche_jobs.monitor.statistics import statistics_of
from cloche_jobs.monitor.tables import Table, profile

log = logging.getLogger(__name__)


def run(settings: Settings) -> str:
    """The job's exit message. Raises ``UserError`` and ``AlgorithmError``."""
    outcome = analyze(settings)
    script = settings.path("post_analytics_processor_script")
    if script is not None:
        scripts.postprocess(script)
    return outcome.message


def analyze(settings: Settings) -> Outcome:
    if settings.get("exclude_features_attribute"):
        raise UserError("exclude_features_attribute is not supported by the analysis of data quality")
    constraints, statistics = settings.path("baseline_constraints"), settings.path("baseline_statistics")
    rules = read_rules(documents.read(constraints, "baseline_constraints")) if constraints else None
    baseline = read_baseline(documents.read(statistics, "baseline_statistics")) if statistics else {}
    table = profile(_blocks(settings), rules.domains if rules else None)
    if not table.rows:
        raise UserError("The dataset is empty: no row was found")
    log.info("%d rows with %d columns were read", table.rows, len(table.columns))
    by_name = rules is not None and _is_named(table, rules, settings)
    if rules is not None and not by_name and len(table.columns) == len(rules.features):
        table.columns = {each.name: column for each, column in pairs(table, rules, by_name=False)}
    documents.write(settings.output / "statistics.json", statistics_of(table))
    method = settings.get("categorical_drift_method")
    documents.write(settings.output / "constraints.json", suggested(table, method))
    if rules is None:
        return Outcome()
    drifts = drifts_of(pairs(table, rules, by_name), baseline)
    outcome = Outcome(violations_of(table, rules, drifts, by_name))
    documents.write(settings.output / "constraint_violations.json", {"violations": outcome.violations})
    if settings.publishes_metrics and rules.emit:
        metrics.write(settings, metrics.of_data(table, rules, drifts, by_name))
    return outcome


def _is_named(table: Table, rules: Rules, settings: Settings) -> bool:
    """Whether columns are known by their names. Without a header they have places only; a script, or a body of JSON,
    may call them what it likes."""
    if all(name == f"_c{place}" for place, name in enumerate(table.columns)):
        return False
    return not settings.format.kind.is_captured or any(name in rules.by_name for name in table.columns)


def _blocks(settings: Settings) -> Iterator[Any]:
    if not settings.format.kind.is_captured:
        return table_blocks(settings)
    paths, script = files_of(settings.source), settings.path("record_preprocessor_script")
    if script is None:
        return captured.blocks(paths, settings)
    rows_of = scripts.preprocessor(script)
    return blocks_of(row for record in captured.records(paths, settings) for row in rows_of(record))
