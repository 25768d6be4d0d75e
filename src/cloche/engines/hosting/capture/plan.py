"""What is to be captured, and where it goes: a plain value, kept in the endpoint's document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """An endpoint configuration's ``DataCaptureConfig``."""

    enabled: bool
    percentage: int
    """How many of a hundred requests are captured."""
    uri: str
    """The destination as it was given; ``bucket`` and ``prefix`` are its parts."""
    bucket: str
    prefix: str
    kms_key: str
    input: bool
    output: bool
    csv_types: tuple[str, ...]
    """Media types, in lower case and without parameters, whose bodies are kept as text that is called CSV."""
    json_types: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def form(self) -> dict[str, Any]:
        """What the form of a record depends on: a label says it, so that who makes the lines needs no plan."""
        return {"input": self.input, "output": self.output, "csv_types": self.csv_types, "json_types": self.json_types}

    @staticmethod
    def of(document: Mapping[str, Any]) -> CapturePlan:
        types = {name: tuple(document[name]) for name in ("csv_types", "json_types")}
        return CapturePlan(**{**document, **types})
