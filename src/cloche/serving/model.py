"""What a model server is to serve: a model of the registry of models, as it was when it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServedModel:
    image: str
    """The address of the image as the model names it."""
    model_data: tuple[str, str] | None
    """Bucket and key of ``model.tar.gz``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    role_arn: str = ""
    network: bool = True
    memory_mb: int | None = None
    """What an instance of its type has; ``None`` where that is not known."""
