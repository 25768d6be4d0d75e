"""How a change is told: the record that queues, topics and functions get, and the event of EventBridge.

docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html, …/ev-events.html; recorded of S3:
localstack/localstack, tests/aws/services/s3/test_s3_notifications_sqs.snapshot.json and …_eventbridge.snapshot.json.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

from cloche.storage.objects import Happened

_VERSIONS: Final = {"ObjectCreated": "2.1", "ObjectRemoved": "2.1"}
_LATER: Final = "2.3"
"""Of the event types that came later."""
_SERVICE: Final = "s3.amazonaws.com"
_ADDRESS_OF_NOBODY: Final = "127.0.0.1"
_DETAIL_TYPES: Final = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "LifecycleExpiration": "Object Deleted",
    "LifecycleTransition": "Object Storage Class Changed",
    "ObjectAcl": "Object ACL Updated",
}


def record(change: Happened, rule_id: str, host_id: Callable[[str], str]) -> dict[str, Any]:
    cause, family = change.cause, change.event.partition(":")[0]
    about: dict[str, Any] = {"key": quote_plus(change.key, safe="/")}
    is_creation = family == "ObjectCreated"
    if is_creation:
        about["size"] = change.size
    if change.etag:
        about["eTag"] = change.etag
    if change.version:
        about["versionId"] = change.version
    if family not in ("ObjectTagging", "ObjectAcl"):
        about["sequencer"] = _sequencer(change)
    return {
        "eventVersion": _VERSIONS.get(family, _LATER),
        "eventSource": "aws:s3",
        "awsRegion": change.bucket.region,
        "eventTime": _time(change.at),
        "eventName": change.event,
        "userIdentity": {"principalId": cause.principal or _SERVICE},
        "requestParameters": {"sourceIPAddress": cause.address or _ADDRESS_OF_NOBODY},
        "responseElements": {"x-amz-request-id": cause.request_id, "x-amz-id-2": host_id(cause.request_id)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule_id,
            "bucket": {
                "name": change.bucket.name,
                "ownerIdentity": {"principalId": change.bucket.account},
                "arn": f"arn:aws:s3:::{change.bucket.name}",
            },
            "object": about,
        },
    }


def detail_type(change: Happened) -> str:
    family, _, does = change.event.partition(":")
    if family == "ObjectTagging":
        return f"Object Tags {'Added' if does == 'Put' else 'Deleted'}"
    return _DETAIL_TYPES[family]


def detail(change: Happened) -> dict[str, Any]:
    cause, family = change.cause, change.event.partition(":")[0]
    about: dict[str, Any] = {"key": change.key}
    if family in ("ObjectCreated", "LifecycleTransition"):
        about["size"] = change.size
    if change.etag:
        about["etag"] = change.etag
    if change.version:
        about["version-id"] = change.version
    if family not in ("ObjectTagging", "ObjectAcl"):
        about["sequencer"] = _sequencer(change)
    made: dict[str, Any] = {"version": "0", "bucket": {"name": change.bucket.name}, "object": about}
    if cause.request_id:
        made["request-id"] = cause.request_id
    made["requester"] = cause.account or _SERVICE
    if cause.address:
        made["source-ip-address"] = cause.address
    if family in ("ObjectCreated", "ObjectRemoved", "LifecycleExpiration"):
        made["reason"] = cause.reason
    if family in ("ObjectRemoved", "LifecycleExpiration"):
        is_marker = change.event.endswith(":DeleteMarkerCreated")
        made["deletion-type"] = "Delete Marker Created" if is_marker else "Permanently Deleted"
    if family == "LifecycleTransition":
        made["destination-storage-class"] = change.storage_class
    return made


def first_message(bucket: str, at: float, request_id: str, host_id: str) -> dict[str, str]:
    """What a destination gets when it is configured (…/userguide/notification-content-structure.html)."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": _time(at),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": host_id,
    }


def _sequencer(change: Happened) -> str:
    """Hexadecimal digits that sort as they count."""
    return f"{change.sequence:018X}"


def _time(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
