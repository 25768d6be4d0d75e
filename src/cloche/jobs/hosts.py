"""The hosts of a job: how many there are, of which group and type, and what part of an input each gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HOMOGENEOUS: Final = "homogeneousCluster"
"""What AWS calls the one group of a job that names none
(docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Instances of one type; words are AWS's."""

    instance_type: str
    count: int = 1
    name: str = HOMOGENEOUS


@dataclass(frozen=True, slots=True)
class JobHost:
    """``number`` counts from 0 through all groups."""

    number: int
    name: str
    group: Group


@dataclass(frozen=True, slots=True)
class Share:
    """The ``number``-th (counted from 0) of ``count`` hosts that get an input."""

    number: int
    count: int


def hosts_of(groups: Sequence[Group]) -> Iterator[JobHost]:
    """``algo-1``, ``algo-2`` and so on, group after group."""
    number = 0
    for group in groups:
        for _ in range(group.count):
            yield JobHost(number, f"algo-{number + 1}", group)
            number += 1
