"""Is this text a model card? Checked against AWS's schema, of which ``model_card_schema.json`` holds the facts.

The schema uses a small part of JSON Schema; just that is understood here, and a test holds that it uses no more. What
breaks it is told by its path: ``evaluation_details[0].metric_groups[1].name``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.foundation.errors import Invalid

SCHEMA: Final = Path(__file__).with_name("model_card_schema.json")
PRESERVED: Final = (
    ("model_overview", "model_id"),
    ("model_overview", "model_name"),
    ("intended_uses", "risk_rating"),
    ("model_package_details", "model_package_group_name"),
    ("model_package_details", "model_package_arn"),
)
"""What ``MetadataOnly`` leaves of a content (API_DescribeModelCard, Content)."""

Schema = dict[str, Any]


def check_card(text: str) -> Members:
    """The content of a model card. Raises ``Invalid``."""
    return _checked(text, _schemas()[0], "Content")


def check_card_of_package(text: str) -> Members:
    """The content of a model package's own card, whose schema is smaller. Raises ``Invalid``."""
    return _checked(text, _schemas()[1], "ModelCardContent")


def metadata_of(content: Members) -> Members:
    """What is told of it without its words."""
    kept: Members = {}
    for section, name in PRESERVED:
        if name in content.get(section, {}):
            kept.setdefault(section, {})[name] = content[section][name]
    return kept


def about_of(content: Members) -> Members:
    """What a card is searched by (API_ModelCard): the model it is about, or the package, and how risky that is."""
    package = content.get("model_package_details", {})
    found = {
        "ModelId": content.get("model_overview", {}).get("model_id") or package.get("model_package_arn"),
        "RiskRating": content.get("intended_uses", {}).get("risk_rating"),
        "ModelPackageGroupName": package.get("model_package_group_name"),
    }
    return {name: value for name, value in found.items() if value}


def _checked(text: str, schema: Schema, member: str) -> Members:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(f"{member} is not JSON.", field=member) from None
    wrong = next(_breaks(content, schema, ""), None)
    if wrong is not None:
        raise Invalid(f"{member} does not follow the model card JSON schema: {wrong}.", field=member)
    found: Members = content
    return found


@cache
def _schemas() -> tuple[Schema, Schema]:
    whole: Schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    sections = {name: held for name, held in whole["properties"].items() if name != "model_package_details"}
    overview = sections["model_overview"]
    kept = {name: overview["properties"][name] for name in whole["of_packages"]["model_overview"]}
    sections["model_overview"] = {**overview, "properties": kept}
    return whole, {**whole, "properties": sections}


# -- the part of JSON Schema that is used -------------------------------------------------------------------------


def _breaks(value: Any, schema: Schema, path: str) -> Iterator[str]:
    """What is wrong with ``value``, in words that begin with where."""
    if "$ref" in schema:
        schema = _schemas()[0]["definitions"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        yield from _none_of(value, schema["anyOf"], path)
        return
    kind = schema.get("type")
    if kind is not None and not _KINDS[kind](value):
        yield f"{_at(path)} must be {_AN.get(kind, 'a')} {kind}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{_at(path)} must be one of {', '.join(schema['enum'])}"
    elif kind == "string":
        yield from _breaks_of_text(value, schema, path)
    elif kind == "array":
        yield from _breaks_of_list(value, schema, path)
    elif kind == "object":
        yield from _breaks_of_object(value, schema, path)
    elif kind == "number" and value < schema.get("minimum", value):
        yield f"{_at(path)} must be at least {schema['minimum']}"


def _none_of(value: Any, schemas: list[Schema], path: str) -> Iterator[str]:
    """Of several forms, the faults of the one whose ``type`` member the value bears are the ones to tell."""
    faults = [next(_breaks(value, each, path), None) for each in schemas]
    if None in faults:
        return
    for each, fault in zip(schemas, faults, strict=True):
        if fault is not None and "$ref" in each and isinstance(value, dict) and _names_type(value, each):
            yield fault
            return
    yield f"{_at(path)} has none of the allowed forms"


def _names_type(value: Members, schema: Schema) -> bool:
    definition = _schemas()[0]["definitions"][schema["$ref"].rpartition("/")[2]]
    return value.get("type") in definition["properties"]["type"]["enum"]


def _breaks_of_text(value: str, schema: Schema, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{_at(path)} may not have more than {schema['maxLength']} characters"
    if len(value) < schema.get("minLength", 0):
        yield f"{_at(path)} must have at least {schema['minLength']} characters"
    # A pattern of JSON Schema is found anywhere in the text; those here say how long a name is, and mean all of it.
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{_at(path)} must match {schema['pattern']}"


def _breaks_of_list(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxItems", len(value)):
        yield f"{_at(path)} may not have more than {schema['maxItems']} items"
    if len(value) < schema.get("minItems", 0):
        yield f"{_at(path)} must have at least {schema['minItems']} items"
    for number, each in enumerate(value):
        yield from _breaks(each, schema["items"], f"{path}[{number}]")


def _breaks_of_object(value: Members, schema: Schema, path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{_at(path)} must have {name}"
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, held in value.items():
        below = f"{path}.{name}" if path else name
        if name in properties:
            yield from _breaks(held, properties[name], below)
        elif others is False:
            yield f"{below} is not in it"
        elif isinstance(others, dict):
            yield from _breaks(held, others, below)


def _at(path: str) -> str:
    return path or "the content"


_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_AN: Final = {"array": "an", "object": "an"}
