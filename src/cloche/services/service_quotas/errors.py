"""Codes of Service Quotas: those of its model."""

from __future__ import annotations

from cloche.aws.errors import ErrorCodes

CODES = ErrorCodes(
    not_found=("NoSuchResourceException", 400),
    already_exists=("ResourceAlreadyExistsException", 400),
    conflict=("InvalidResourceStateException", 400),
    invalid=("IllegalArgumentException", 400),
    limit_reached=("TooManyRequestsException", 400),
    denied=("AccessDeniedException", 400),
    not_supported=("IllegalArgumentException", 400),
    broken=("ServiceException", 500),
)
