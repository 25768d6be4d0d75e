"""AWS's rules for tags, as SageMaker states them. Keeping them is storage's matter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from cloche.foundation.errors import Invalid, LimitReached
from cloche.storage.metadata import tags

# "Each resource can have a maximum of 50 tags"; keys and values "must not begin with aws:" (any case), which
# the AWS-wide tagging rules reserve (docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html).
TAGS_MAX: Final = 50


def tag_pairs(members: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """``[{"Key": …, "Value": …}]`` as pairs. Raises ``Invalid`` for a reserved or repeated key."""
    pairs = [(member["Key"], member.get("Value", "")) for member in members]
    seen: set[str] = set()
    for key, _ in pairs:
        if key.lower().startswith("aws:"):
            raise Invalid(f"Tag key {key} is invalid: tag keys that begin with aws: are reserved", field="Tags")
        if key in seen:
            raise Invalid(f"Duplicate tag keys found: {key}. Tag keys must be unique.", field="Tags")
        seen.add(key)
    return pairs


def add_tags(tx: sqlite3.Connection, arn: str, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Add to what ``arn`` has and answer all of it. Raises ``LimitReached`` beyond 50."""
    tags.put(tx, arn, pairs)
    held = tags.read(tx, arn)
    if len(held) > TAGS_MAX:
        raise LimitReached(f"{arn} may not have more than {TAGS_MAX} tags")
    return held


def tag_members(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]
