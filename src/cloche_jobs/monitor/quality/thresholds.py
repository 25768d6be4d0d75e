"""constraints.json and violations of model quality.

A baseline's own values are the thresholds: errors must not be greater, scores not less. Which measures are constrained
and how a violation reads is AWS's; that ``f0_5`` is constrained and never reported, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.documents import java_double
from cloche_jobs.monitor.statistics import VERSION

GREATER, LESS = "GreaterThanThreshold", "LessThanThreshold"
ERRORS = frozenset({"mae", "mse", "rmse", "false_positive_rate", "false_negative_rate"})
_NEVER_REPORTED = frozenset({"f0_5"})


def suggested(problem: str, found: Mapping[str, Any]) -> dict[str, Any]:
    constraints = {
        name: {"threshold": each["value"], "comparison_operator": GREATER if name in ERRORS else LESS}
        for name, each in found.items()
        if "value" in each and name != "au_prc" and not name.endswith("_best_constant_classifier")
    }
    return {"version": VERSION, f"{problem}_constraints": constraints}


def violations_of(problem: str, found: Mapping[str, Any], document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Raises ``UserError`` where ``document`` is no constraints.json of such a problem."""
    constraints = document.get(f"{problem}_constraints")
    if not isinstance(constraints, dict):
        raise UserError(f"the baseline constraints have no {problem}_constraints")
    violations = []
    for name, each in constraints.items():
        try:
            threshold, operator = float(each["threshold"]), str(each["comparison_operator"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"the baseline constraint {name} is malformed: {type(error).__name__} {error}") from error
        if operator not in (GREATER, LESS):
            raise UserError(f"comparison_operator {operator!r} of {name} is not {GREATER} or {LESS}")
        measured = found.get(name)
        if measured is None or name in _NEVER_REPORTED or math.isnan(measured["value"]):
            continue
        value = measured["value"]
        if value > threshold if operator == GREATER else value < threshold:
            words = _camel(name)
            description = (
                f"Metric {words} with {java_double(value)} +/- {java_double(measured['standard_deviation'])} was "
                f"{operator} '{java_double(threshold)}'"
            )
            violations.append({"constraint_check_type": operator, "description": description, "metric_name": words})
    return violations


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
