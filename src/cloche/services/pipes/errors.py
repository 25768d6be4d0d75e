"""Codes of EventBridge Pipes: its model's exceptions, with the statuses it gives them."""

from __future__ import annotations

from cloche.aws.errors import ErrorCodes

CODES = ErrorCodes(
    not_found=("NotFoundException", 404),
    already_exists=("ConflictException", 409),
    conflict=("ConflictException", 409),
    limit_reached=("ServiceQuotaExceededException", 402),
    denied=("AccessDeniedException", 403),
)
