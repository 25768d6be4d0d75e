"""A bucket's lifecycle configuration: checked here, kept as it came, carried out by ``storage/objects/lifecycle``.

Rules and words: docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html and
…/userguide/intro-lifecycle-rules.html; messages as localstack/localstack (services/s3/validation.py) and others record
them of S3.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from cloche.aws.errors import AwsError
from cloche.aws.http import is_header_value
from cloche.aws.operation import Context, Members
from cloche.aws.protocols.scalars import http_date
from cloche.services.s3.describing import STORAGE_CLASSES
from cloche.services.s3.errors import invalid_request, not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.storage.objects import Bucket, ObjectInfo
from cloche.storage.objects.lifecycle_rules import ASPECT, abortion_of, expiration_of, rules_of

RULES_MAX: Final = 1000
ID_CHARACTERS_MAX: Final = 255
NEWER_VERSIONS_MAX: Final = 100
INFREQUENT_DAYS_MIN: Final = 30
_ACTIONS: Final = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)
_MINIMUMS: Final = ("all_storage_classes_128K", "varies_by_storage_class")
_DAYS: Final = "'Days' for {action} action must be a positive integer"


@s3_operation("PutBucketLifecycleConfiguration")
def put_bucket_lifecycle_configuration(ctx: Context, request: Members) -> Members:
    return _put(ctx, request)


@s3_operation("PutBucketLifecycle")
def put_bucket_lifecycle(ctx: Context, request: Members) -> Members:
    """The operation of old, whose rules are a subset of today's."""
    return _put(ctx, request)


def _put(ctx: Context, request: Members) -> Members:
    rules = (request.get("LifecycleConfiguration") or {}).get("Rules") or []
    minimum = request.get("TransitionDefaultMinimumObjectSize") or _MINIMUMS[0]
    if minimum not in _MINIMUMS:
        raise invalid_request(f"Invalid TransitionDefaultMinimumObjectSize found: {minimum}")
    if not 1 <= len(rules) <= RULES_MAX:
        raise s3_error("MalformedXML")
    kept: list[Members] = []
    for given in rules:
        rule = _as_json({"ID": secrets.token_hex(24), **given})
        _check(rule)
        if any(rule["ID"] == other["ID"] for other in kept):
            raise _wrong("Rule ID must be unique. Found same ID for more than one rule")
        kept.append(rule)
    configuration = {"Rules": kept, "TransitionDefaultMinimumObjectSize": minimum}
    store_of(ctx).buckets.configure(request["Bucket"], ASPECT, configuration)
    return {"TransitionDefaultMinimumObjectSize": minimum}


@s3_operation("GetBucketLifecycleConfiguration", reads=True)
def get_bucket_lifecycle_configuration(ctx: Context, request: Members) -> Members:
    return _get(ctx, request)


@s3_operation("GetBucketLifecycle", reads=True)
def get_bucket_lifecycle(ctx: Context, request: Members) -> Members:
    return {"Rules": _get(ctx, request)["Rules"]}


def _get(ctx: Context, request: Members) -> Members:
    kept = bucket_of(ctx, request).configuration.get(ASPECT)
    if not kept:
        raise s3_error("NoSuchLifecycleConfiguration", BucketName=request["Bucket"])
    return {**kept, "Rules": [_with_dates(rule) for rule in kept["Rules"]]}


@s3_operation("DeleteBucketLifecycle")
def delete_bucket_lifecycle(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], ASPECT, None)
    return {}


# -- what objects and uploads tell of it ---------------------------------------------------------------------


def expiration_view(bucket: Bucket, info: ObjectInfo) -> Members:
    """``x-amz-expiration``, for a current version that a rule will expire."""
    if ASPECT not in bucket.configuration or not info.is_latest:
        return {}
    found = expiration_of(rules_of(bucket), info)
    if found is None:
        return {}
    return {"Expiration": f'expiry-date="{http_date(found[0])}", rule-id="{quote(found[1])}"'}


def abortion_view(bucket: Bucket, key: str, initiated_at: datetime) -> Members:
    """``x-amz-abort-date`` and ``x-amz-abort-rule-id`` of an upload."""
    if ASPECT not in bucket.configuration:
        return {}
    found = abortion_of(rules_of(bucket), key, initiated_at)
    return {} if found is None else {"AbortDate": found[0], "AbortRuleId": found[1]}


# -- what a rule may say -------------------------------------------------------------------------------------


def _check(rule: Members) -> None:
    if len(rule["ID"]) > ID_CHARACTERS_MAX:
        raise _wrong("ID length should not exceed allowed limit of 255")
    if not is_header_value(rule["ID"]):  # uploads are told it in x-amz-abort-rule-id
        raise _wrong("ID is not valid")
    if rule.get("Status") not in ("Enabled", "Disabled"):
        raise s3_error("MalformedXML")
    if ("Prefix" in rule) == ("Filter" in rule):
        raise s3_error("MalformedXML")
    if not any(rule.get(action) is not None for action in _ACTIONS):
        raise invalid_request("At least one action needs to be specified in a rule.")
    tagged, sized = _check_filter(rule.get("Filter") or {})
    _check_expiration(rule, tagged=tagged)
    _check_noncurrent(rule)
    _check_transitions(rule)
    abort = rule.get("AbortIncompleteMultipartUpload")
    if abort is not None:
        if tagged:
            raise invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags.")
        if sized:
            raise invalid_request("AbortIncompleteMultipartUpload cannot be specified with Object Size.")
        if (abort.get("DaysAfterInitiation") or 0) < 1:
            raise _wrong("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")


def _check_filter(filtered: Members) -> tuple[bool, bool]:
    """Whether it asks for tags, and for sizes."""
    if len(filtered) > 1:
        raise s3_error("MalformedXML")
    both = filtered.get("And")
    if both is not None and len(both.get("Tags") or ()) + len(both) - ("Tags" in both) < 2:
        raise s3_error("MalformedXML")
    both = both or {}
    tags = [*(both.get("Tags") or ()), *([filtered["Tag"]] if "Tag" in filtered else [])]
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise invalid_request("Duplicate Tag Keys are not allowed.")
    above = filtered.get("ObjectSizeGreaterThan", both.get("ObjectSizeGreaterThan"))
    below = filtered.get("ObjectSizeLessThan", both.get("ObjectSizeLessThan"))
    if above is not None and below is not None and above + 1 >= below:
        raise invalid_request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan' by 2 bytes")
    return bool(tags), above is not None or below is not None


def _check_expiration(rule: Members, *, tagged: bool) -> None:
    given = rule.get("Expiration")
    if given is None:
        return
    said = [name for name in ("Days", "Date", "ExpiredObjectDeleteMarker") if given.get(name) is not None]
    if len(said) != 1:
        raise s3_error("MalformedXML")
    if given.get("Days") is not None and given["Days"] < 1:
        raise _wrong(_DAYS.format(action="Expiration"))
    _check_midnight(given.get("Date"))
    if given.get("ExpiredObjectDeleteMarker") and tagged:
        raise invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags.")


def _check_noncurrent(rule: Members) -> None:
    given = rule.get("NoncurrentVersionExpiration")
    if given is None:
        return
    if (given.get("NoncurrentDays") or 0) < 1:
        raise _wrong("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
    _check_newer(given)


def _check_newer(given: Members) -> None:
    newer = given.get("NewerNoncurrentVersions")
    if newer is not None and not 1 <= newer <= NEWER_VERSIONS_MAX:
        raise _wrong("'NewerNoncurrentVersions' must be an integer between 1 and 100")


def _check_transitions(rule: Members) -> None:
    for given in rule.get("Transitions") or ():
        days, date = given.get("Days"), given.get("Date")
        if (days is None) == (date is None):
            raise s3_error("MalformedXML")
        _check_midnight(date)
        _check_class(given, days, "Days", "Transition")
        expires = (rule.get("Expiration") or {}).get("Days")
        if days is not None and expires is not None and expires <= days:
            raise _wrong(
                "'Days' in the Expiration action for filter must be greater than 'Days' in the Transition action"
            )
    for given in rule.get("NoncurrentVersionTransitions") or ():
        if given.get("NoncurrentDays") is None:
            raise s3_error("MalformedXML")
        _check_class(given, given["NoncurrentDays"], "NoncurrentDays", "NoncurrentVersionTransition")
        _check_newer(given)


def _check_class(given: Members, days: int | None, name: str, action: str) -> None:
    wanted = given.get("StorageClass")
    if wanted in ("GLACIER", "DEEP_ARCHIVE"):
        raise not_implemented(f"{action} StorageClass", f"{wanted}: Cloche has no archive to restore from")
    if wanted not in STORAGE_CLASSES or wanted in ("STANDARD", "REDUCED_REDUNDANCY"):
        raise s3_error("MalformedXML")
    if days is None:
        return
    if days < 0:
        raise _wrong(f"'{name}' for {action} action must be nonnegative")
    if wanted in ("STANDARD_IA", "ONEZONE_IA") and days < INFREQUENT_DAYS_MIN:
        raise _wrong(f"'{name}' in {action} action must be greater than or equal to 30 for storageClass '{wanted}'")


def _check_midnight(date: str | None) -> None:
    if date is None:
        return
    at = datetime.fromisoformat(date)
    if (at.hour, at.minute, at.second, at.microsecond) != (0, 0, 0, 0):
        raise _wrong("'Date' must be at midnight GMT")


def _wrong(message: str) -> AwsError:
    return s3_error("InvalidArgument", message)


def _as_json(value: Any) -> Any:
    """Dates as text in UTC, and nothing that was not said."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {name: _as_json(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_as_json(inner) for inner in value]
    return value


def _with_dates(rule: Members) -> Members:
    told = dict(rule)
    if date := (rule.get("Expiration") or {}).get("Date"):
        told["Expiration"] = {**rule["Expiration"], "Date": datetime.fromisoformat(date)}
    if "Transitions" in rule:
        told["Transitions"] = [
            {**given, "Date": datetime.fromisoformat(given["Date"])} if given.get("Date") else given
            for given in rule["Transitions"]
        ]
    return told
