"""constraints.json, read: what each feature is held to, its own overrides over the document's ``monitoring_config``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.constraints import ENABLED


@dataclass(frozen=True, slots=True)
class FeatureRules:
    evaluate: bool
    emit: bool
    data_type_threshold: float
    domain_threshold: float
    compare: bool
    threshold: float
    method: str
    categorical_threshold: float
    categorical_method: str


@dataclass(frozen=True, slots=True)
class Feature:
    name: str
    type: str
    completeness: float | None
    domains: frozenset[str] | None
    rules: FeatureRules


@dataclass(frozen=True, slots=True)
class Rules:
    features: tuple[Feature, ...]
    by_name: Mapping[str, Feature]
    emit: bool
    evaluate: bool

    def domains(self, place: int, name: str) -> frozenset[str] | None:
        """Of the feature of that name; where there is none, of that place."""
        named = self.by_name.get(name)
        if named is None and place < len(self.features):
            named = self.features[place]
        return named.domains if named is not None else None


def read_rules(document: Mapping[str, Any]) -> Rules:
    """Raises ``UserError`` for a document that is no data-quality constraints.json."""
    config = document.get("monitoring_config") or {}
    try:
        features = tuple(_feature(each, config) for each in document["features"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the baseline constraints are malformed: {type(error).__name__} {error}") from error
    emit, evaluate = (config.get(name, ENABLED) == ENABLED for name in ("emit_metrics", "evaluate_constraints"))
    return Rules(features, {each.name: each for each in features}, emit, evaluate)


def _feature(each: Mapping[str, Any], config: Mapping[str, Any]) -> Feature:
    strings = each.get("string_constraints") or {}
    overrides = each.get("monitoringConfigOverrides") or strings.get("monitoring_config_overrides") or {}
    domains = strings.get("domains")
    completeness = each.get("completeness")
    return Feature(
        name=str(each["name"]),
        type=str(each["inferred_type"]),
        completeness=None if completeness is None else float(completeness),
        domains=None if domains is None else frozenset(str(value) for value in domains),
        rules=_rules(_laid_over(config, overrides)),
    )


def _laid_over(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    comparison = {**(config.get("distribution_constraints") or {}), **(overrides.get("distribution_constraints") or {})}
    return {**config, **overrides, "distribution_constraints": comparison}


def _rules(config: Mapping[str, Any]) -> FeatureRules:
    """What a document leaves out is as a baseline would have written it; ``enable_comparisons`` is the name of 2019."""
    comparison = config["distribution_constraints"]
    perform = comparison.get("perform_comparison", comparison.get("enable_comparisons", ENABLED))
    threshold = float(comparison.get("comparison_threshold", 0.1))
    method = str(comparison.get("comparison_method", "Robust"))
    categorical_method = str(comparison.get("categorical_drift_method", "LInfinity"))
    if method not in ("Simple", "Robust") or categorical_method not in ("LInfinity", "ChiSquared"):
        raise ValueError(f"comparison_method {method!r}, categorical_drift_method {categorical_method!r}")
    return FeatureRules(
        evaluate=config.get("evaluate_constraints", ENABLED) == ENABLED,
        emit=config.get("emit_metrics", ENABLED) == ENABLED,
        data_type_threshold=float(config.get("datatype_check_threshold", 1.0)),
        domain_threshold=float(config.get("domain_content_threshold", 1.0)),
        compare=perform in (ENABLED, True),
        threshold=threshold,
        method=method,
        categorical_threshold=float(comparison.get("categorical_comparison_threshold", threshold)),
        categorical_method=categorical_method,
    )
