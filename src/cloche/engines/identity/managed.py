"""The AWS-managed policies that Cloche has, as AWS publishes them.

``managed_policies.json`` holds each default version's number, date and document, as on
docs.aws.amazon.com/aws-managed-policy/latest/reference/<name>.html in August 2026. They are read when first
asked for. An AWS-managed policy that is not here cannot be attached, and the refusal says so by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Final

PREFIX: Final = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    name: str
    version: int
    updated_at: datetime
    document: str

    @property
    def arn(self) -> str:
        return PREFIX + self.name


@cache
def managed_policies() -> dict[str, ManagedPolicy]:
    """By ARN, in the order of their names."""
    held = json.loads(files(__package__).joinpath("managed_policies.json").read_bytes())
    found = (
        ManagedPolicy(name, each["version"], datetime.fromisoformat(each["updated_at"]), json.dumps(each["document"]))
        for name, each in sorted(held.items())
    )
    return {each.arn: each for each in found}
