"""What a model server is to serve: a container of a model, as it was when it was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloche_jobs import catalog


@dataclass(frozen=True, slots=True)
class ModelData:
    """Where in S3 a model's files are."""

    bucket: str
    key: str
    """Of the archive they are in; else of the one file or, if it ends in a slash, what all their keys begin with."""
    is_packed: bool = True

    @staticmethod
    def of(document: Mapping[str, Any] | Sequence[str] | None) -> ModelData | None:
        """From what ``asdict`` made of it, or from the pair that was kept before there were files without archive."""
        if document is None:
            return None
        return ModelData(**document) if isinstance(document, Mapping) else ModelData(document[0], document[1])


@dataclass(frozen=True, slots=True)
class ServedModel:
    image: str
    """The address of the image as the model names it."""
    model_data: ModelData | None
    environment: Mapping[str, str] = field(default_factory=dict)
    role_arn: str = ""
    network: bool = True
    memory_mb: int | None = None
    """What an instance of its type has; ``None`` where that is not known."""
    name: str = ""
    """Of the container, where the model has several (``ContainerHostname``)."""
    own: str = ""
    """Of an image of the user's own, its manifest's digest: what the address meant when the model was asked for."""
    notice: str = ""
    """What the log of its server begins with."""

    @property
    def key(self) -> str:
        """The catalog's, of the image."""
        return self.own or catalog.find(self.image).key

    @staticmethod
    def of(document: Mapping[str, Any]) -> ServedModel:
        """From what ``asdict`` made of it, however it was kept."""
        return ServedModel(**{**document, "model_data": ModelData.of(document["model_data"])})
