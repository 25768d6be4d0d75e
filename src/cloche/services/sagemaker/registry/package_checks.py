"""What forbids a model package beyond the model's constraints, and what the registry adds to what it is given."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.sagemaker.model_data import object_at
from cloche.services.sagemaker.registry.model_card_content import check_card_of_package

CUSTOMER_METADATA_MAX: Final = 50
ADDITIONAL_SPECIFICATIONS_MAX: Final = 15
_REFUSED: Final = {
    "SourceAlgorithmSpecification": "packages of algorithm resources",
    "CertifyForMarketplace": "the AWS Marketplace",
    "SecurityConfig": "encryption with a KMS key",
    "ManagedStorageType": "storage of packages by SageMaker",
}
_OF_UNVERSIONED: Final = ("SupportedTransformInstanceTypes", "SupportedRealtimeInferenceInstanceTypes")


def check_package(ctx: Context, request: Members) -> None:
    versioned = "ModelPackageGroupName" in request
    for name, purpose in _REFUSED.items():
        if request.get(name):
            raise NotSupported(f"{name} ({purpose}) is not supported by Cloche yet.")
    if versioned and request.get("Tags"):
        # "In this case, you cannot supply a tag argument" (API_CreateModelPackage)
        raise Invalid("Tags cannot be given to a version: it uses the tags of its model package group.", field="Tags")
    specification = request.get("InferenceSpecification")
    check_source(request)
    if specification is not None:
        check_specification(specification, versioned=versioned)
    elif not versioned and not request.get("SourceUri"):
        raise Invalid("InferenceSpecification must be given for an unversioned model package.")
    check_names(request.get("AdditionalInferenceSpecifications") or ())
    check_own_card(request)


def check_source(request: Members) -> None:
    """aws/sagemaker-python-sdk 2, session.py: "passing source uri and inference spec together in create/update model
    package is not allowed"."""
    if request.get("SourceUri") and request.get("InferenceSpecification"):
        raise Invalid("SourceUri and InferenceSpecification cannot be given together.", field="SourceUri")


def check_own_card(request: Members) -> None:
    """Raises ``Invalid`` where the package's own model card does not follow its schema."""
    if content := (request.get("ModelCard") or {}).get("ModelCardContent"):
        check_card_of_package(content)


def check_specification(specification: Members, *, versioned: bool) -> None:
    for name in () if versioned else _OF_UNVERSIONED:
        # "required for unversioned models, and optional for versioned models" (API_InferenceSpecification)
        if not specification.get(name):
            raise Invalid(f"InferenceSpecification.{name} is required for an unversioned model package.", field=name)
    for at, container in enumerate(specification["Containers"], 1):
        if container.get("ModelDataUrl") and container.get("ModelDataSource"):
            raise Invalid(
                f"InferenceSpecification.Containers.{at}.member: only one of ModelDataUrl and ModelDataSource may be "
                "given.",
                field="ModelDataUrl",
            )


def check_names(specifications: Any) -> None:
    """Raises ``Invalid`` where two additional specifications have one name, or there are too many."""
    names = [each["Name"] for each in specifications]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(f"AdditionalInferenceSpecifications has more than one {twice[0]}.", field="Name")
    if len(names) > ADDITIONAL_SPECIFICATIONS_MAX:
        raise Invalid(
            f"A model package may not have more than {ADDITIONAL_SPECIFICATIONS_MAX} AdditionalInferenceSpecifications."
        )


def stamped(ctx: Context, specification: Members) -> Members:
    """With each artefact's ETag as it is now, so that one that is replaced later is noticed."""
    return {**specification, "Containers": [_stamped(ctx, each) for each in specification["Containers"]]}


def _stamped(ctx: Context, container: Members) -> Members:
    address = object_at(container.get("ModelDataUrl") or "")
    if address is None:
        return container
    try:
        etag = ctx.parts.objects.head(*address).etag
    except NotFound:
        return container
    return {**container, "ModelDataETag": etag.strip('"')}
