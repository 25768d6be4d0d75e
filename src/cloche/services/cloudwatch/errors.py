"""Codes of CloudWatch, in the words of the query protocol (the model maps them to its exceptions' names)."""

from __future__ import annotations

from cloche.aws.errors import AwsError, ErrorCodes

CODES = ErrorCodes(
    not_found=("ResourceNotFound", 404),
    already_exists=("InvalidParameterValue", 400),
    conflict=("ConcurrentModificationException", 429),
    # Broken constraints: CommonErrors of the API reference
    invalid=("ValidationError", 400),
    limit_reached=("LimitExceeded", 400),
    denied=("AccessDenied", 403),
    not_supported=("InvalidParameterValue", 400),
    broken=("InternalServiceError", 500),
    unknown_operation=("InvalidAction", 400),
)


def invalid_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)
