"""The policy of a form: what its signer lets the form's sender say.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html. Words as S3 gives them, by clients'
reports: "Invalid according to Policy: Policy expired.", "Invalid according to Policy: Policy Condition failed: […]",
"Invalid according to Policy: Extra input fields: …" (aws/aws-sdk-js#1603, fog/fog-aws#103), "Invalid Policy: …".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.foundation.limits import OBJECT_PUT_BYTES_MAX
from cloche.services.s3.errors import s3_error

_FREE: Final = ("policy", "x-amz-signature", "signature", "awsaccesskeyid", "file")
"""Fields that no condition need name, besides those that begin with ``x-ignore-``; and of checksums, which say nothing
that the signer could mind (ceph/s3-tests, test_post_object_upload_checksum)."""
_FREE_STARTS: Final = ("x-ignore-", "x-amz-checksum-")


@dataclass(frozen=True, slots=True)
class SizeRange:
    least: int = 0
    most: int = OBJECT_PUT_BYTES_MAX


def check_policy(document: bytes, fields: Mapping[str, str], bucket: str, now: datetime) -> SizeRange:
    """``fields`` as they are meant (``${filename}`` replaced), names in lower case. Raises InvalidPolicyDocument (400),
    and AccessDenied (403) for what the policy does not let through."""
    policy = _parsed(document)
    if _expiration(policy) <= now:
        raise _denied("Policy expired.")
    given = {**fields, "bucket": bucket}
    named, size = {"bucket"}, SizeRange()
    for condition in policy["conditions"]:
        operator, name, value = _condition(condition)
        if operator == "content-length-range":
            size = SizeRange(_size(name), _size(value))
            continue
        named.add(name)
        if not _holds(operator, given.get(name, ""), value):
            raise _denied(f"Policy Condition failed: {json.dumps([operator, f'${name}', value])}")
    extra = [name for name in fields if name not in named and name not in _FREE and not name.startswith(_FREE_STARTS)]
    if extra:
        raise _denied(f"Extra input fields: {', '.join(extra)}")
    return size


def _parsed(document: bytes) -> Mapping[str, Any]:
    try:
        policy = json.loads(document)
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid("Invalid JSON.")
    if not policy.keys() <= {"expiration", "conditions"}:
        unknown = sorted(policy.keys() - {"expiration", "conditions"})[0]
        raise _invalid(f"Unexpected: '{str(unknown)[:64]}'.")
    if "expiration" not in policy:
        raise _invalid("Policy missing expiration.")
    if not isinstance(policy.get("conditions"), list):
        raise _invalid("Policy missing conditions.")
    return policy


def _expiration(policy: Mapping[str, Any]) -> datetime:
    text = policy["expiration"]
    try:
        if not isinstance(text, str) or not text.endswith("Z") or "T" not in text:
            raise ValueError
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise _invalid(f"Invalid 'expiration' value: '{str(text)[:64]}'") from None


def _condition(condition: Any) -> tuple[str, Any, Any]:
    """(operator, name of the field or least size, value or most size)."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        name, value = next(iter(condition.items()))
        if not isinstance(value, str):
            raise _invalid("Invalid Simple-Condition: value must be a string.")
        return "eq", name.lower(), value
    if not isinstance(condition, list) or not condition or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: must be an object or a list.")
    operator = condition[0].lower()
    if operator not in ("eq", "starts-with", "content-length-range"):
        raise _invalid(f"Invalid Condition: unknown operation '{operator[:64]}'.")
    if len(condition) != 3:
        raise _invalid(f"Invalid {operator} condition: wrong number of arguments.")
    _, name, value = condition
    if operator == "content-length-range":
        return operator, name, value
    if not isinstance(name, str) or not isinstance(value, str) or not name.startswith("$"):
        raise _invalid(f"Invalid {operator} condition: a field's name begins with $.")
    return operator, name[1:].lower(), value


def _holds(operator: str, given: str, value: str) -> bool:
    if operator == "eq":
        return given == value
    return given.startswith(value)


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _invalid("Invalid content-length-range: arguments must be integers.")
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _invalid("Invalid content-length-range: arguments must be integers.")
    return int(text)


def _invalid(why: str) -> AwsError:
    return s3_error("InvalidPolicyDocument", f"Invalid Policy: {why}")


def _denied(why: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {why}", 403)
