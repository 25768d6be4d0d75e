"""What an ``Image`` means: one that Cloche stands in for, else one of the user's own, else AWS's refusal."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import fact
from cloche.aws.operation import Context
from cloche.compute.images.finding import parse_address
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche_jobs import catalog

NO_REPOSITORY: Final = fact(
    "ValidationException",
    "Cannot find repository: {name} in registry ID: {account} Please check if your ECR repository exists and role "
    "{role} has proper pull permissions for SageMaker: ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, "
    "ecr:GetDownloadUrlForLayer",
    source="aws/amazon-sagemaker-examples#2534",
)
NO_IMAGE: Final = fact(
    "ValidationException",
    "Requested image {uri} not found.",
    source="aws-samples/easy-amazon-sagemaker-deployments#4",
)
OTHER_REGION: Final = fact(
    "ValidationException",
    'Region of "{uri}" does not match expected region of {region}. Cross region ECR image pulls are not allowed.',
    source="aws/sagemaker-pytorch-inference-toolkit#7",
)
NEEDS_SANDBOX: Final = (
    "An image of your own needs bubblewrap (bwrap) and Linux 5.11 with overlay file systems, which are not there or do "
    "not work here; cloche doctor says more."
)


def find_image(
    ctx: Context,
    uri: str,
    member: str,
    *,
    role: str = "",
    processing: bool = False,
    bare: bool = False,
    is_model: bool = False,
) -> catalog.Image:
    """Raises ``Invalid`` with what is known, or AWS's words where an image of the caller's own is not there: of a model
    they name the image, of a job its repository."""
    try:
        return catalog.find(uri, processing=processing, bare=bare)
    except catalog.ImageUnknown as error:
        unknown = Invalid(str(error), field=member)
    address = parse_address(uri)
    if address is None:
        raise unknown
    try:
        found: catalog.Image | None = ctx.parts.own_images.find(address)
    except (NotFound, Invalid) as error:
        raise Invalid(f"The image {uri} cannot be used: {error.message}", field=member) from None
    if found is not None:
        if address.region not in ("", ctx.region):
            raise OTHER_REGION.error(uri=uri, region=ctx.region)
        if not ctx.parts.equipment.runtime.capabilities.own_roots:
            raise NotSupported(NEEDS_SANDBOX)
        return found
    if address.account != ctx.account:
        raise unknown
    if is_model:
        raise NO_IMAGE.error(uri=uri)
    raise NO_REPOSITORY.error(name=address.name, account=address.account, role=role)


def described_image(uri: str) -> catalog.Image | None:
    """What is known of the image by its address alone: ``None`` for one of the user's own, which may be gone by now.
    Raises ``Invalid`` for what is no image's address."""
    try:
        return catalog.find(uri, bare=True)
    except catalog.ImageUnknown as error:
        if parse_address(uri) is None:
            raise Invalid(str(error), field="TrainingImage") from None
        return None
