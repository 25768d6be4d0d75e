"""A package made of another package or of a model: ``SourceUri`` holds its ARN, the registry fills in the rest.

"If you want to clone a model package, set it to the model package Amazon Resource Name (ARN). If you want to register
a model, set it to the model ARN" (API_CreateModelPackage). Any other address is kept as a note of where it came from.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.foundation.errors import Invalid
from cloche.storage.metadata import records

_OF_CONTAINER: Final = ("ContainerHostname", "Image", "ModelDataUrl", "ModelDataSource", "Environment")


def cloned_specification(ctx: Context, connection: sqlite3.Connection, source: str) -> Members:
    """``InferenceSpecification`` of what ``source`` names, or nothing. Raises ``Invalid`` where that is not here."""
    is_package = source.startswith("arn:") and ":model-package/" in source
    if not is_package and not (source.startswith("arn:") and ":model/" in source):
        return {}
    record = records.find_arn(connection, source)
    if record is None or record.account != ctx.account or record.region != ctx.region:
        raise Invalid(f"SourceUri {source} does not exist.", field="SourceUri")
    if is_package:
        specification = record.request.get("InferenceSpecification")
        return {} if specification is None else {"InferenceSpecification": specification}
    containers = record.request.get("Containers") or [record.request["PrimaryContainer"]]
    kept = [{name: each[name] for name in _OF_CONTAINER if name in each} for each in containers]
    return {"InferenceSpecification": {"Containers": kept}}
