"""Codes of SNS: those of its model (services-sns of botocore), whose ``InvalidParameter`` says nearly everything.

Words, where nothing else is said: recorded of SNS by localstack/localstack, tests/aws/services/sns/
test_sns.snapshot.json and test_sns_filter_policy.snapshot.json.
"""

from __future__ import annotations

from cloche.aws.errors import AwsError, ErrorCodes

CODES = ErrorCodes(
    not_found=("NotFound", 404),
    already_exists=("InvalidParameter", 400),
    conflict=("InvalidState", 400),
    invalid=("InvalidParameter", 400),
    limit_reached=("Throttled", 429),
    denied=("AuthorizationError", 403),
    not_supported=("InvalidParameter", 400),
    # docs.aws.amazon.com/sns/latest/api/CommonErrors.html
    unknown_operation=("InvalidAction", 400),
)


def invalid(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")


def invalid_value(what: str) -> AwsError:
    """Of a message's attributes."""
    return AwsError("ParameterValueInvalid", what)
