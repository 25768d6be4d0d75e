"""The AWS-managed policies, as AWS publishes them.

``managed_policies.json`` holds those that people use with SageMaker, each default version's number, date and document
as on docs.aws.amazon.com/aws-managed-policy/latest/reference/<name>.html in August 2026: enough for a start and most
work. All others are in ``managed_policies_more.json.xz``: what ``iam:GetPolicyVersion`` answered for each of AWS's
policies on 22 August 2026, as recorded in the public data set iann0036/iam-dataset (``tools/managed_policies.py``
makes the file from it). That file is read when a policy is asked for that is not in the first.

An AWS-managed policy that is in neither cannot be attached, and the refusal says so by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

PREFIX: Final = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    arn: str
    version: int
    created_at: datetime | None
    updated_at: datetime
    document: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def path(self) -> str:
        """``/``, ``/service-role/``, ``/aws-service-role/`` or ``/job-function/``."""
        return "/" + self.arn[len(PREFIX) : -len(self.name)]


def managed_policy(arn: str) -> ManagedPolicy | None:
    """AWS's policy of that ARN."""
    if not arn.startswith(PREFIX):
        return None
    found = _few().get(arn)
    return _more().get(arn) if found is None else found


def managed_policies() -> dict[str, ManagedPolicy]:
    """All of them, by ARN, in the order of their ARNs."""
    both = {**_more(), **_few()}
    return {arn: both[arn] for arn in sorted(both)}


@cache
def _few() -> dict[str, ManagedPolicy]:
    held = json.loads(files(__package__).joinpath("managed_policies.json").read_bytes())
    return {
        PREFIX + name: ManagedPolicy(
            PREFIX + name, each["version"], None, _moment(each["updated_at"]), json.dumps(each["document"])
        )
        for name, each in held.items()
    }


@cache
def _more() -> dict[str, ManagedPolicy]:
    import lzma

    held: dict[str, list[Any]] = json.loads(
        lzma.decompress(files(__package__).joinpath("managed_policies_more.json.xz").read_bytes())
    )
    return {
        PREFIX + rest: ManagedPolicy(PREFIX + rest, version, _moment(created), _moment(updated), document)
        for rest, (version, created, updated, document) in held.items()
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
