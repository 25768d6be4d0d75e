"""What artifacts, actions and contexts have in common: how they are refused, and the group they are in."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Members
from cloche.aws.resource import Fact, fact
from cloche.engines.lineage import edges
from cloche.foundation.errors import Invalid
from cloche.storage.metadata.records import Record

GROUP: Final = "sagemaker-default-lineage-group"
"""docs.aws.amazon.com/sagemaker/latest/dg/xaccount-lineage-tracking.html"""
PROPERTIES_MAX: Final = 30
ASSOCIATED: Final = fact(
    "ValidationException",
    "{arn} has associations and cannot be deleted.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-manual-creation.html (entities are deleted"
    " after their associations); words: Cloche's own",
)


def taken(noun: str) -> Fact:
    return fact(
        "ValidationException",
        f"{noun} with name ({{name}}) already exists.",
        source='code and "already exists": is_already_exist_error of sagemaker.experiments._utils (SDK v2)',
    )


def absent(noun: str) -> Fact:
    return fact(
        "ResourceNotFound",
        f"{noun} '{{name}}' does not exist.",
        source="code: errors of the noun's operations in the model; words: Cloche's own",
    )


def group_arn(record: Record) -> str:
    return f"arn:aws:sagemaker:{record.region}:{record.account}:lineage-group/{GROUP}"


def updated_properties(record: Record, request: Members) -> Members:
    """The document after an update: properties given are added or replaced, those to remove taken away."""
    kept = {**record.request, **{key: value for key, value in request.items() if key != "PropertiesToRemove"}}
    properties = {**record.request.get("Properties", {}), **request.get("Properties", {})}
    for key in request.get("PropertiesToRemove", ()):
        properties.pop(key, None)
    if len(properties) > PROPERTIES_MAX:
        raise Invalid(f"There may be no more than {PROPERTIES_MAX} properties", field="Properties")
    if properties or "Properties" in kept:
        kept["Properties"] = properties
    return kept


def check_free(tx: sqlite3.Connection, record: Record) -> None:
    if edges.has_any(tx, record.arn):
        raise ASSOCIATED.error(arn=record.arn)
