"""Codes of SQS. Most are errors of its model, which knows their names in the query protocol as well; these are not."""

from __future__ import annotations

from cloche.aws.errors import AwsError, ErrorCodes

CODES = ErrorCodes(
    not_found=("QueueDoesNotExist", 400),
    already_exists=("QueueNameExists", 400),
    conflict=("UnsupportedOperation", 400),
    # docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    invalid=("InvalidParameterValue", 400),
    limit_reached=("OverLimit", 403),
    denied=("AccessDenied", 403),
    not_supported=("UnsupportedOperation", 400),
    unknown_operation=("InvalidAction", 400),
)


def invalid_value(value: object, parameter: str, reason: str) -> AwsError:
    """The sentence that clients see for most of what SQS refuses."""
    return AwsError("InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def invalid_attribute(value: object, name: str, reason: str) -> AwsError:
    """The same of a queue's attribute: a code of its own since JSON, in the old words where a client asks for them."""
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}. Reason: {reason}")


def missing_parameter(name: str) -> AwsError:
    return AwsError("MissingParameter", f"The request must contain the parameter {name}.")
