"""What somebody says has happened; the envelope is made when a bus takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Happening:
    source: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: Sequence[str] = ()
    at: float | None = None
