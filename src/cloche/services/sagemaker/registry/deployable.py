"""What a model has when it is made of a package: image, artefact and variables of each of the package's containers."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import fact
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.registry.model_package import find_package
from cloche.storage.metadata.records import Record

# "For versioned models, the value of this parameter must be set to Approved to deploy the model" (ModelApprovalStatus
# of API_CreateModelPackage). The words of the refusal are not on record.
UNAPPROVED: Final = fact(
    "ValidationException",
    "Model package {arn} cannot be deployed: its approval status is {name}, and only Approved ones can.",
    source="docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html (the rule, not the words)",
)
INCOMPLETE: Final = fact(
    "ValidationException",
    "Model package {arn} cannot be deployed: its status is {status}, and only Completed ones can.",
    source="the meaning of ModelPackageStatus in API_DescribeModelPackage; the words are Cloche's own",
)
_GIVEN_BY_PACKAGE: Final = ("Image", "ModelDataUrl", "ModelDataSource", "ImageConfig")
_KEPT: Final = ("ContainerHostname", "Image", "ModelDataUrl", "ModelDataSource", "AdditionalModelDataSources")


def containers_of_package(ctx: Context, connection: sqlite3.Connection, container: Members) -> list[Members]:
    """``container`` with what the package it names gives it, once for each container of the package. Raises AWS's words
    where that is not there or not approved, ``Invalid`` where both say the same thing."""
    for name in _GIVEN_BY_PACKAGE:
        if container.get(name):
            raise Invalid(f"{name} is the model package's to say when ModelPackageName is given.", field=name)
    package = find_package(ctx, connection, container["ModelPackageName"])
    if package.status != "Completed":
        raise INCOMPLETE.error(arn=package.arn, status=package.status)
    approval = package.request.get("ModelApprovalStatus")
    if "ModelPackageGroupName" in package.request and approval != "Approved":
        raise UNAPPROVED.error(arn=package.arn, name=str(approval))
    given = _containers(package, container.get("InferenceSpecificationName"))
    return [{**_with(container, each), "ModelPackageName": package.arn} for each in given]


def _with(container: Members, given: Members) -> Members:
    environment = given.get("Environment") or {}
    own = container.get("Environment") or {}
    if environment and own:
        # aws/sagemaker-python-sdk#3301
        raise Invalid(
            f"Environment variable map cannot be specified both at Model Package {_map(environment)} and "
            f"Model {_map(own)}",
            field="Environment",
        )
    resolved = {**container, **{name: given[name] for name in _KEPT if given.get(name)}}
    if environment:
        resolved["Environment"] = environment
    return resolved


def _containers(package: Record, name: str | None) -> list[Members]:
    specification = package.request.get("InferenceSpecification")
    if name is not None:
        further = package.request.get("AdditionalInferenceSpecifications", ())
        specification = next((each for each in further if each["Name"] == name), None)
        if specification is None:
            raise Invalid(
                f"Model package {package.arn} has no inference specification named {name}.",
                field="InferenceSpecificationName",
            )
    if specification is None:
        raise Invalid(f"Model package {package.arn} has no InferenceSpecification to deploy.", field="ModelPackageName")
    containers: list[Members] = specification["Containers"]
    return containers


def _map(variables: Members) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in variables.items()) + "}"
