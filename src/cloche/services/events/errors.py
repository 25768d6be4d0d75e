"""Codes of EventBridge: its model's exceptions, and ``ValidationException`` for what breaks a rule
(docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html)."""

from __future__ import annotations

from cloche.aws.errors import AwsError, ErrorCodes
from cloche.engines.events import Pattern, compile_pattern
from cloche.foundation.errors import Invalid

CODES = ErrorCodes(
    not_found=("ResourceNotFoundException", 400),
    already_exists=("ResourceAlreadyExistsException", 400),
    conflict=("ConcurrentModificationException", 400),
    limit_reached=("LimitExceededException", 400),
    denied=("AccessDeniedException", 400),
)


def require_pattern(text: str) -> Pattern:
    """The pattern, read. The words before the reason: buildkite/docs#896 and aws/serverless-application-model#1455."""
    try:
        return compile_pattern(text)
    except Invalid as error:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error.message}") from None
