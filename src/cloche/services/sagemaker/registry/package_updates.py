"""How an update changes a model package: what is replaced, what is merged, what is taken away. Pure."""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Members
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.registry.package_checks import (
    CUSTOMER_METADATA_MAX,
    check_names,
    check_own_card,
    check_source,
)

_REPLACED: Final = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceUri",
    "ModelLifeCycle",
)
_OF_VERSIONS: Final = ("ModelApprovalStatus", "ApprovalDescription")


def updated_package(held: Members, request: Members) -> Members:
    """The package's members after the update. Any approval may follow any other
    (docs.aws.amazon.com/sagemaker/latest/dg/model-registry-approve.html). Raises ``Invalid``."""
    if "ModelPackageGroupName" not in held and any(name in request for name in _OF_VERSIONS):
        raise Invalid("ModelApprovalStatus does not apply to unversioned model packages.", field="ModelApprovalStatus")
    check_source(request)
    check_own_card(request)
    kept: Members = held | {name: request[name] for name in _REPLACED if name in request}
    _metadata(kept, request)
    if added := request.get("AdditionalInferenceSpecificationsToAdd"):
        specifications = [*held.get("AdditionalInferenceSpecifications", ()), *added]
        check_names(specifications)
        kept["AdditionalInferenceSpecifications"] = specifications
    if card := request.get("ModelCard"):
        kept["ModelCard"] = {**held.get("ModelCard", {}), **card}
    return kept


def _metadata(kept: Members, request: Members) -> None:
    properties = {**kept.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
    for name in request.get("CustomerMetadataPropertiesToRemove", ()):
        properties.pop(name, None)
    if len(properties) > CUSTOMER_METADATA_MAX:
        raise Invalid(
            f"A model package may not have more than {CUSTOMER_METADATA_MAX} CustomerMetadataProperties.",
            field="CustomerMetadataProperties",
        )
    kept.pop("CustomerMetadataProperties", None)
    if properties:
        kept["CustomerMetadataProperties"] = properties
