"""Codes of ECR: its model's exceptions, all with status 400 (API_*.html, "Errors"); the sentences are the engine's."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError, ErrorCodes
from cloche.engines.image_registry import errors

CODES: Final = ErrorCodes(
    not_found=("RepositoryNotFoundException", 400),
    already_exists=("RepositoryAlreadyExistsException", 400),
    conflict=("InvalidParameterException", 400),
    invalid=("InvalidParameterException", 400),
    limit_reached=("LimitExceededException", 400),
    denied=("AccessDeniedException", 400),
    not_supported=("InvalidParameterException", 400),
    broken=("ServerException", 500),
    own={
        errors.RepositoryNotEmpty: ("RepositoryNotEmptyException", 400),
        errors.ImageUnknown: ("ImageNotFoundException", 400),
        errors.ImageExists: ("ImageAlreadyExistsException", 400),
        errors.TagImmutable: ("ImageTagAlreadyExistsException", 400),
        errors.LayersUnknown: ("LayersNotFoundException", 400),
        errors.ChildrenUnknown: ("ReferencedImagesNotFoundException", 400),
        errors.UploadUnknown: ("UploadNotFoundException", 400),
        errors.UploadBusy: ("InvalidLayerPartException", 400),
        errors.OutOfOrder: ("InvalidLayerPartException", 400),
        errors.LayerTooLarge: ("InvalidLayerPartException", 400),
    },
)


def invalid(member: str, reason: str) -> AwsError:
    """ECR's form for a member that breaks a rule (getmoto/moto, moto/ecr/models.py, recorded of AWS)."""
    return AwsError(
        "InvalidParameterException", f"Invalid parameter at '{member}' failed to satisfy constraint: '{reason}'"
    )
