"""What an instance of a type has, by the rule of its family.

In AWS's families of general purpose, compute and memory an ``xlarge`` has four virtual CPUs, an ``Nxlarge`` N times as
many, a ``large`` half and a ``medium`` a quarter; a virtual CPU comes with a fixed share of memory.
Source: aws.amazon.com/ec2/instance-types (M, C and R families from the fourth and fifth generation on). Types with
accelerators, and those that do not follow the rule, are not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MEMORY_MB_PER_CPU: Final = {"m": 4_096, "c": 2_048, "r": 8_192}
_TYPE: Final = re.compile(
    r"ml\.(?P<family>[mcr])(?P<generation>[4-8])[a-z]{0,2}\.(?:(?P<times>\d+)(?=xlarge))?(?P<size>medium|large|xlarge)"
)
_CPUS: Final = {"medium": 1, "large": 2, "xlarge": 4}


@dataclass(frozen=True, slots=True)
class Capacity:
    cpu_cores: float
    memory_mb: int


def memory_of(instance_type: str) -> int | None:
    """In MB; ``None`` where it is not known."""
    capacity = capacity_of(instance_type)
    return None if capacity is None else capacity.memory_mb


def capacity_of(instance_type: str) -> Capacity | None:
    """``None`` for a type whose capacity is not known."""
    match = _TYPE.fullmatch(instance_type)
    if match is None or match["family"] + match["generation"] in ("c4", "r4"):
        return None
    cpus = _CPUS[match["size"]] * int(match["times"] or 1)
    return Capacity(cpus, cpus * _MEMORY_MB_PER_CPU[match["family"]])
