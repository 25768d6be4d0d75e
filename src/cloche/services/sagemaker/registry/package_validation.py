"""From a package and its ``ValidationSpecification`` to the requests of the model and the job that try it.

One profile at most, as the model has it. What the API is asked for in the profile, and that a package without one is
not tried: docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelPackageValidationProfile.html. That the model is
cut off from the network: the log in aws/amazon-sagemaker-examples#2995.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.engines.package_validation import Plan
from cloche.foundation.errors import Invalid
from cloche.storage.metadata.records import Record

_OF_CONTAINER: Final = ("ContainerHostname", "Image", "ModelDataUrl", "ModelDataSource", "Environment")
NAME_CHARACTERS_MAX: Final = 63


def plan_validation(ctx: Context, record: Record, package: Members) -> Plan | None:
    """``None`` where nothing is to be tried. Raises ``Invalid`` for a package without a model."""
    asked = package.get("ValidationSpecification")
    if not asked or not asked["ValidationProfiles"] or package.get("SkipModelValidation") == "All":
        return None
    specification = package.get("InferenceSpecification")
    if specification is None:
        raise Invalid("ValidationSpecification needs an InferenceSpecification to try.", field="InferenceSpecification")
    (profile,) = asked["ValidationProfiles"]
    name = _name(record)
    containers = [{key: each[key] for key in _OF_CONTAINER if key in each} for each in specification["Containers"]]
    model = {
        "ModelName": name,
        "ExecutionRoleArn": asked["ValidationRole"],
        "EnableNetworkIsolation": ctx.parts.equipment.runtime.capabilities.private_network,
        **({"Containers": containers} if len(containers) > 1 else {"PrimaryContainer": containers[0]}),
    }
    job = {"TransformJobName": name, "ModelName": name, **profile["TransformJobDefinition"]}
    return Plan(record.arn, record.account, record.region, profile["ProfileName"], model, job)


def _name(record: Record) -> str:
    """Readable, and its own: two packages whose long names begin alike are kept apart by the end."""
    end = f"-validation-{hashlib.sha256(record.arn.encode()).hexdigest()[:8]}"
    begin = record.name.replace("/", "-")
    return begin[: NAME_CHARACTERS_MAX - len(end)] + end
