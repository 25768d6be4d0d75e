"""Object lock: retention and legal holds on versions, and a bucket's default retention.

The store refuses to remove a locked version; here is what may be said about locks, and who may loosen them.
Source: docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.foundation.clock import from_epoch
from cloche.services.s3.errors import invalid_argument, invalid_request, not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, existing_object, s3_operation, store_of
from cloche.storage.objects import Bucket, Details, VersioningFixed
from cloche.storage.objects.buckets import OBJECT_LOCK

MODES: Final = ("GOVERNANCE", "COMPLIANCE")
YEARS_MAX: Final = 100  # docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html: "up to 100 years"
DAYS_MAX: Final = 36_500
_NOT_LOCKABLE: Final = "Bucket is missing Object Lock Configuration"


# -- the bucket's configuration ------------------------------------------------------------------------------


@s3_operation("PutObjectLockConfiguration")
def put_object_lock_configuration(ctx: Context, request: Members) -> Members:
    given = request.get("ObjectLockConfiguration") or {}
    if given.get("ObjectLockEnabled") != "Enabled":
        raise s3_error("MalformedXML")
    kept: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
    if "Rule" in given:
        kept["Rule"] = {"DefaultRetention": _default_retention(given["Rule"].get("DefaultRetention") or {})}
    try:
        store_of(ctx).buckets.set_object_lock(request["Bucket"], kept)
    except VersioningFixed:
        # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
        words = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise s3_error("InvalidBucketState", words) from None
    return {}


def _default_retention(given: Members) -> dict[str, Any]:
    if given.get("DefaultEventHold"):
        raise not_implemented("DefaultEventHold", "Cloche keeps no event holds")
    days, years = given.get("Days"), given.get("Years")
    if given.get("Mode") not in MODES or (days is None) == (years is None):
        raise s3_error("MalformedXML")
    if (days is not None and not 1 <= days <= DAYS_MAX) or (years is not None and not 1 <= years <= YEARS_MAX):
        # The code that ceph/s3-tests (test_object_lock_put_obj_lock_invalid_days) holds S3 to.
        raise s3_error("InvalidRetentionPeriod", "Default retention period must be a positive integer value.")
    return {name: value for name, value in given.items() if value is not None}


@s3_operation("GetObjectLockConfiguration", reads=True)
def get_object_lock_configuration(ctx: Context, request: Members) -> Members:
    kept = bucket_of(ctx, request).configuration.get(OBJECT_LOCK)
    if not kept:
        raise s3_error("ObjectLockConfigurationNotFoundError")
    return {"ObjectLockConfiguration": kept}


# -- what a write says ---------------------------------------------------------------------------------------


def locked(details: Details, request: Members, bucket: Bucket, now: datetime) -> Details:
    """``details`` with the locks that the writing request asks for, else with the bucket's default retention."""
    mode, until = request.get("ObjectLockMode"), request.get("ObjectLockRetainUntilDate")
    hold = request.get("ObjectLockLegalHoldStatus")
    configuration = bucket.configuration.get(OBJECT_LOCK)
    if not configuration:
        if mode is not None or until is not None or hold is not None:
            raise invalid_request(_NOT_LOCKABLE)
        return details
    if hold not in (None, "ON", "OFF"):
        raise invalid_argument("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'")
    details = replace(details, legal_hold=hold or "")
    if (mode is None) != (until is None):
        raise invalid_argument(
            "x-amz-object-lock-retain-until-date",
            until,
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
        )
    if mode is not None and until is not None:
        if mode not in MODES:
            raise invalid_argument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
        return replace(details, retention_mode=mode, retain_until=_until(until, now))
    default = (configuration.get("Rule") or {}).get("DefaultRetention")
    if not default:
        return details
    return replace(details, retention_mode=default["Mode"], retain_until=_end_of(default, now).timestamp())


def _end_of(default: Members, now: datetime) -> datetime:
    if days := default.get("Days"):
        return now + timedelta(days=days)
    year = now.year + default["Years"]
    try:
        return now.replace(year=year)
    except ValueError:  # the 29th of February
        return now.replace(year=year, day=28)


def _until(until: datetime, now: datetime) -> float:
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    if until <= now:
        raise invalid_argument(
            "x-amz-object-lock-retain-until-date", until.isoformat(), "The retain until date must be in the future!"
        )
    return until.timestamp()


def lock_view(details: Details) -> Members:
    """The headers of a GET or HEAD that tell of locks."""
    view: Members = {}
    if details.retention_mode:
        view["ObjectLockMode"] = details.retention_mode
        view["ObjectLockRetainUntilDate"] = from_epoch(details.retain_until)
    if details.legal_hold:
        view["ObjectLockLegalHoldStatus"] = details.legal_hold
    return view


# -- retention and legal hold of a version -------------------------------------------------------------------


def _check_lockable(ctx: Context, request: Members) -> None:
    if not bucket_of(ctx, request).configuration.get(OBJECT_LOCK):
        raise invalid_request(_NOT_LOCKABLE)


@s3_operation("PutObjectRetention")
def put_object_retention(ctx: Context, request: Members) -> Members:
    """Whoever may bypass governance may shorten or lift it; compliance can only be prolonged."""
    _check_lockable(ctx, request)
    given = request.get("Retention") or {}
    for member in ("EventHold", "EventHoldDuration"):
        if given.get(member):
            raise not_implemented(member, "Cloche keeps no event holds")
    mode, until = given.get("Mode") or "", given.get("RetainUntilDate")
    if bool(mode) != (until is not None) or (mode and mode not in MODES):
        raise s3_error("MalformedXML")
    ends_at = _until(until, ctx.now) if until is not None else 0.0
    bypass = bool(request.get("BypassGovernanceRetention"))
    now = ctx.now.timestamp()

    def change(details: Details) -> Details:
        holds = bool(details.retention_mode) and details.retain_until > now
        loosens = ends_at < details.retain_until or mode != details.retention_mode
        if holds and details.retention_mode == "COMPLIANCE" and loosens:
            raise s3_error("AccessDenied", "Access Denied because object protected by object lock.")
        if holds and details.retention_mode == "GOVERNANCE" and loosens and not bypass:
            raise s3_error("AccessDenied", "Access Denied because object protected by object lock.")
        return replace(details, retention_mode=mode, retain_until=ends_at)

    store_of(ctx).update_details(existing_object(ctx, request), change)
    return {}


@s3_operation("GetObjectRetention", reads=True)
def get_object_retention(ctx: Context, request: Members) -> Members:
    _check_lockable(ctx, request)
    details = existing_object(ctx, request).details
    if not details.retention_mode:
        raise s3_error("NoSuchObjectLockConfiguration")
    return {
        "Retention": {"Mode": details.retention_mode, "RetainUntilDate": from_epoch(details.retain_until)},
    }


@s3_operation("PutObjectLegalHold")
def put_object_legal_hold(ctx: Context, request: Members) -> Members:
    _check_lockable(ctx, request)
    status = (request.get("LegalHold") or {}).get("Status")
    if status not in ("ON", "OFF"):
        raise s3_error("MalformedXML")
    info = existing_object(ctx, request)
    store_of(ctx).update_details(info, lambda details: replace(details, legal_hold=status))
    return {}


@s3_operation("GetObjectLegalHold", reads=True)
def get_object_legal_hold(ctx: Context, request: Members) -> Members:
    _check_lockable(ctx, request)
    status = existing_object(ctx, request).details.legal_hold
    if not status:
        raise s3_error("NoSuchObjectLockConfiguration")
    return {"LegalHold": {"Status": status}}
