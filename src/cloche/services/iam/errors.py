"""IAM's codes. The sentences are the engine's (``engines/identity/words``).

Codes and statuses: the ``error`` traits of the exceptions in botocore's iam model; ``AccessDenied``,
``ValidationError`` and ``InvalidAction`` from docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cloche.aws.errors import AwsError, ErrorCodes
from cloche.engines.identity.policy import compile_document
from cloche.engines.identity.policy.validate import (
    MalformedPolicy,
    validate_identity_policy,
    validate_trust_policy,
)

CODES: Final = ErrorCodes(
    not_found=("NoSuchEntity", 404),
    already_exists=("EntityAlreadyExists", 409),
    conflict=("DeleteConflict", 409),
    invalid=("ValidationError", 400),
    limit_reached=("LimitExceeded", 409),
    denied=("AccessDenied", 403),
    not_supported=("InvalidAction", 400),
    broken=("ServiceFailure", 500),
    unknown_operation=("InvalidAction", 400),
)


def invalid_input(message: str) -> AwsError:
    return AwsError("InvalidInput", message, 400)


def identity_policy(text: str) -> str:
    """``text`` again, when it is a policy for users and roles. Raises ``MalformedPolicyDocument``."""
    return _checked(text, validate_identity_policy)


def trust_policy(text: str, is_missing: Callable[[str], bool]) -> str:
    """``text`` again, when it says who may assume a role. Raises ``MalformedPolicyDocument``, also for a principal
    that ``is_missing``: IAM looks them up (aws-cloudformation/cfn-lint#4287)."""
    _checked(text, validate_trust_policy)
    for statement in compile_document(text).statements:
        for arn in statement.principals.ids.get("AWS", ()) if statement.principals is not None else ():
            if is_missing(arn):
                raise AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{arn}"', 400)
    return text


def _checked(text: str, validate: Callable[[str], None]) -> str:
    try:
        validate(text)
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicyDocument", error.message, 400) from error
    return text
