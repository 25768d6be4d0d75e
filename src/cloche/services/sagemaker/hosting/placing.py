"""Placing copies of inference components on a variant's instances by what they need.

Instances are a reckoning here (all copies run on this machine), but it is kept as AWS keeps it: what does not fit on
any instance is not started. Copies are placed largest first, each on the fullest instance that still holds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cloche.services.sagemaker.hosting.instance_types import Capacity
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

COMPONENT_KIND: Final = "sagemaker/InferenceComponent"


@dataclass(frozen=True, slots=True)
class Need:
    """Of each of ``copies``."""

    cpu_cores: float
    memory_mb: int
    copies: int


def fits(instance: Capacity, instances: int, needs: Iterable[Need]) -> bool:
    """Whether all copies find a place on so many instances."""
    free = [[instance.cpu_cores, float(instance.memory_mb)] for _ in range(instances)]
    for need in sorted(needs, key=lambda need: (need.memory_mb, need.cpu_cores), reverse=True):
        for _ in range(need.copies):
            holding = [each for each in free if each[0] >= need.cpu_cores and each[1] >= need.memory_mb]
            if not holding:
                return False
            fullest = min(holding, key=lambda each: (each[1], each[0]))
            fullest[0] -= need.cpu_cores
            fullest[1] -= need.memory_mb
    return True


def components_on(connection: sqlite3.Connection, account: str, region: str, endpoint: str) -> list[Record]:
    """All components of an endpoint, those that are being deleted included."""
    rows = connection.execute(
        "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ?"
        " AND json_extract(request, '$.EndpointName') = ? ORDER BY id",
        (account, region, COMPONENT_KIND, endpoint),
    )
    return [records.from_row(row) for row in rows]
