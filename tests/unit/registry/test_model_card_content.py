"""The schema of model cards as data, and the part of JSON Schema that is understood."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.registry.model_card_content import SCHEMA, check_card, check_card_of_package

UNDERSTOOD = {
    "type", "enum", "pattern", "maxLength", "minLength", "minimum", "items", "maxItems", "minItems", "properties",
    "required", "additionalProperties", "anyOf", "$ref",
}  # fmt: skip
SDK = "lib/python3.11/site-packages/sagemaker/model_card/schema_constraints.py"


def schemas(schema: Any) -> Any:
    if isinstance(schema, dict):
        yield schema
        for name in ("items", "additionalProperties"):
            if isinstance(schema.get(name), dict):
                yield from schemas(schema[name])
        for each in [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]:
            yield from schemas(each)


def test_the_schema_uses_no_more_than_is_understood() -> None:
    whole = json.loads(SCHEMA.read_text())
    definitions = whole.pop("definitions")
    beside = {"source", "of_packages"}
    assert set(whole) - beside <= UNDERSTOOD
    seen = 0
    for top in ({name: held for name, held in whole.items() if name not in beside}, *definitions.values()):
        for schema in schemas(top):
            seen += 1
            assert set(schema) <= UNDERSTOOD
            if "$ref" in schema:
                assert schema["$ref"].rpartition("/")[2] in definitions
    assert seen > 80


def test_every_section_may_be_empty() -> None:
    sections = json.loads(SCHEMA.read_text())["properties"]
    empty = {name: [] if held["type"] == "array" else {} for name, held in sections.items()}
    assert check_card(json.dumps(empty)) == empty
    del empty["model_package_details"]
    assert check_card_of_package(json.dumps(empty)) == empty


def test_details_of_a_package_are_not_in_the_packages_own_card() -> None:
    with pytest.raises(Invalid, match="model_package_details is not in it"):
        check_card_of_package(json.dumps({"model_package_details": {}}))


def test_the_lists_are_as_long_as_the_sdk_allows() -> None:
    cache = Path.home() / ".cache" / "cloche" / "clients"
    found = sorted(cache.glob(f"sagemaker2-*/{SDK}")) if sys.version_info[:2] == (3, 11) else []
    if not found:
        pytest.skip("no environment of AWS's SDK 2 is built here")
    stated = dict(line.split(" = ") for line in found[-1].read_text().splitlines() if "_MAX_SIZE = " in line)
    whole = json.loads(SCHEMA.read_text())
    job = whole["properties"]["training_details"]["properties"]["training_job_details"]["properties"]
    assert job["training_metrics"]["maxItems"] == int(stated["TRAINING_METRICS_MAX_SIZE"])
    assert job["hyper_parameters"]["maxItems"] == int(stated["HYPER_PARAMETERS_MAX_SIZE"])
    assert job["training_datasets"]["maxItems"] == int(stated["TRAINING_DATASETS_MAX_SIZE"])
    overview = whole["properties"]["model_overview"]["properties"]
    assert overview["model_artifact"]["maxItems"] == int(stated["MODEL_ARTIFACT_MAX_SIZE"])
    evaluation = whole["properties"]["evaluation_details"]["items"]["properties"]
    assert evaluation["datasets"]["maxItems"] == int(stated["EVALUATION_DATASETS_MAX_SIZE"])
