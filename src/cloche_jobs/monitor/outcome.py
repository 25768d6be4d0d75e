"""How a job ended, and the words AWS's container says it with (``ExitMessage`` of the processing job)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    violations: Sequence[Mapping[str, str]] = ()

    @property
    def message(self) -> str:
        if not self.violations:
            return "Completed: Job completed successfully with no violations."
        return f"CompletedWithViolations: Job completed successfully with {len(self.violations)} violations."
