"""What a training script may ask about its job."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any


class Environment(Mapping[str, Any]):
    """What ``SM_TRAINING_ENV`` tells, as attributes and as a mapping: ``hosts``, ``hyperparameters``, ``is_hetero``."""

    def __init__(self) -> None:
        if "SM_TRAINING_ENV" not in os.environ:
            raise RuntimeError("Environment is told to training scripts alone: SM_TRAINING_ENV is not set.")
        self._told: dict[str, Any] = json.loads(os.environ["SM_TRAINING_ENV"])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._told:
            raise AttributeError(f"Cloche's Environment has no {name}: it has {', '.join(sorted(self._told))}.")
        return self._told[name]

    def __getitem__(self, name: str) -> Any:
        return self._told[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)
