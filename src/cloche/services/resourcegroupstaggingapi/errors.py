"""Codes of the Resource Groups Tagging API: those of its model."""

from __future__ import annotations

from cloche.aws.errors import ErrorCodes

CODES = ErrorCodes(
    not_found=("InvalidParameterException", 400),
    invalid=("InvalidParameterException", 400),
    limit_reached=("ThrottledException", 400),
    not_supported=("InvalidParameterException", 400),
    broken=("InternalServiceException", 500),
)
