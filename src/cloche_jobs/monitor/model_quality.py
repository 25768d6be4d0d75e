"""Model quality: a baseline of predictions with their truth, or a run over merged captures held against one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor import documents, metrics, scripts
from cloche_jobs.monitor.outcome import Outcome
from cloche_jobs.monitor.quality import thresholds
from cloche_jobs.monitor.quality.inputs import read_answers
from cloche_jobs.monitor.quality.problems import PROBLEMS, THRESHOLD
from cloche_jobs.monitor.settings import Settings
from cloche_jobs.monitor.statistics import VERSION

log = logging.getLogger(__name__)


def run(settings: Settings) -> str:
    """The job's exit message. Raises ``UserError`` and ``AlgorithmError``."""
    outcome = analyze(settings)
    script = settings.path("post_analytics_processor_script")
    if script is not None:
        scripts.postprocess(script)
    return outcome.message


def analyze(settings: Settings) -> Outcome:
    kind = settings.get("problem_type") or ""
    if kind not in PROBLEMS:
        raise UserError(f"problem_type {kind[:100]!r} is not one of {', '.join(PROBLEMS)}")
    problem, measure = PROBLEMS[kind]
    answers = read_answers(settings)
    log.info("%d rows were read, %d were left out", len(answers.truth), answers.left_out)
    found = measure(answers, _threshold(settings))
    documents.write(
        settings.output / "statistics.json",
        {
            "version": VERSION,
            "dataset": _dataset(settings, len(answers.truth)),
            f"{problem}_metrics": found,
        },
    )
    documents.write(settings.output / "constraints.json", thresholds.suggested(problem, found))
    constraints = settings.path("baseline_constraints")
    outcome = Outcome()
    if constraints is not None:
        document = documents.read(constraints, "baseline_constraints")
        outcome = Outcome(thresholds.violations_of(problem, found, document))
        documents.write(settings.output / "constraint_violations.json", {"violations": outcome.violations})
    if settings.publishes_metrics:
        points = [metrics.Point(name, each["value"]) for name, each in found.items() if "value" in each]
        total = metrics.Point("total_number_of_violations", float(len(outcome.violations)))
        metrics.write(settings, [*points, total])
    return outcome


def _dataset(settings: Settings, count: int) -> dict[str, Any]:
    window = {name: value for name in ("start_time", "end_time") if (value := settings.get(name))}
    return {"item_count": count, **window, "evaluation_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def _threshold(settings: Settings) -> float:
    text = settings.get("probability_threshold_attribute")
    try:
        return THRESHOLD if text is None else float(text)
    except ValueError as error:
        raise UserError(f"probability_threshold_attribute {text!r} is no number") from error
