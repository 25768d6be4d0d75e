"""Codes of CloudWatch Logs. Broken constraints too are ``InvalidParameterException`` here."""

from __future__ import annotations

from cloche.aws.errors import AwsError, ErrorCodes

# The exceptions that the service's model lists for each operation.
CODES = ErrorCodes(
    not_found=("ResourceNotFoundException", 400),
    already_exists=("ResourceAlreadyExistsException", 400),
    conflict=("OperationAbortedException", 400),
    invalid=("InvalidParameterException", 400),
    limit_reached=("LimitExceededException", 400),
    denied=("AccessDeniedException", 400),
    not_supported=("InvalidParameterException", 400),
)


def invalid_operation(message: str) -> AwsError:
    return AwsError("InvalidOperationException", message)
