"""The artifacts that stand behind containers: the image, the model's data, the package it is from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cloche.aws.operation import Members
from cloche.engines.lineage.entities import Artifact
from cloche.storage.metadata.records import Record

PACKAGE: Final = "ModelPackage"


def of_model(model: Record) -> Iterator[Artifact]:
    primary = model.request.get("PrimaryContainer")
    return of_containers([primary] if primary else model.request.get("Containers") or ())


def of_containers(containers: Iterable[Members]) -> Iterator[Artifact]:
    for container in containers:
        if image := container.get("Image"):
            yield Artifact(image, "Image")
        source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
        if url := container.get("ModelDataUrl") or source.get("S3Uri"):
            yield Artifact(url, "Model")
        if package := container.get("ModelPackageName"):
            yield Artifact(package, PACKAGE)
