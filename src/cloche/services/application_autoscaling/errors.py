"""Codes of Application Auto Scaling: its model's exceptions, with the statuses its API reference gives them."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError, ErrorCodes

CODES: Final = ErrorCodes(
    not_found=("ObjectNotFoundException", 400),
    already_exists=("ValidationException", 400),
    conflict=("ConcurrentUpdateException", 500),
    invalid=("ValidationException", 400),
    limit_reached=("LimitExceededException", 400),
    denied=("AccessDeniedException", 400),
    not_supported=("ValidationException", 400),
    broken=("InternalServiceException", 500),
)


def invalid_token() -> AwsError:
    return AwsError("InvalidNextTokenException", "The next token supplied was invalid.")
