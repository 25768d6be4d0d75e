"""Codes of AWS Lambda: the exceptions of its model. ``Type`` says whose fault it was, as its answers do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloche.aws.errors import AwsError, ErrorCodes
from cloche.engines.functions import RevisionChanged

CODES = ErrorCodes(
    not_found=("ResourceNotFoundException", 404),
    already_exists=("ResourceConflictException", 409),
    conflict=("ResourceConflictException", 409),
    invalid=("InvalidParameterValueException", 400),
    limit_reached=("TooManyRequestsException", 429),
    denied=("AccessDeniedException", 403),
    not_supported=("InvalidParameterValueException", 400),
    broken=("ServiceException", 500),
    unknown_operation=("InvalidParameterValueException", 400),
)


@contextmanager
def preconditions() -> Iterator[None]:
    """A revision that has changed is an error of its own (the model's, 412)."""
    try:
        yield
    except RevisionChanged as changed:
        raise AwsError("PreconditionFailedException", changed.message, 412, fields={"Type": "User"}) from None
