"""What is told of a change to an object, in its own transaction, where its bucket has somebody to tell.

Events have S3's names (docs.aws.amazon.com/AmazonS3/latest/userguide/
notification-how-to-event-types-and-destinations.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloche.storage.objects.records import NULL_VERSION, Bucket, Deletion, ObjectInfo

NOTIFICATION: Final = "Notification"
"""The aspect of a bucket's configuration that says whom to tell."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an object changes, and who wanted it: ``event`` as ``ObjectCreated:Put``; of a removal the first word, since
    only the change shows whether it made a delete marker. ``reason`` is the operation."""

    event: str
    reason: str
    principal: str = ""
    """Empty for Cloche itself: jobs' outputs, and what lifecycle rules do."""
    account: str = ""
    address: str = ""
    request_id: str = ""


PUT: Final = Cause("ObjectCreated:Put", "PutObject")
COMPLETED: Final = Cause("ObjectCreated:CompleteMultipartUpload", "CompleteMultipartUpload")
REMOVED: Final = Cause("ObjectRemoved", "DeleteObject")
EXPIRED: Final = Cause("LifecycleExpiration", "Lifecycle Expiration")
MOVED: Final = Cause("LifecycleTransition", "Lifecycle Transition")


@dataclass(frozen=True, slots=True)
class Happened:
    cause: Cause
    event: str
    bucket: Bucket
    key: str
    version: str
    """Empty where the bucket has no versions."""
    size: int | None
    """In bytes; ``None``, and no ``etag``, for a removal."""
    etag: str
    sequence: int
    """Of two events of a key the later has the greater one."""
    at: float
    storage_class: str = ""


Listener = Callable[[sqlite3.Connection, Happened], None]
"""Within the transaction of the change, on the writer's thread."""


def of_object(cause: Cause, bucket: Bucket, info: ObjectInfo, at: float) -> Happened:
    return Happened(
        cause,
        cause.event,
        bucket,
        info.key,
        "" if info.version == NULL_VERSION else info.version,
        info.size,
        info.etag,
        info.sequence,
        at,
        info.details.storage_class,
    )


def of_removal(cause: Cause, bucket: Bucket, done: Deletion, at: float, *, named: bool) -> Happened:
    """``named``: that very version was removed, not the key."""
    made_marker = done.is_delete_marker and not named
    event = f"{cause.event}:{'DeleteMarkerCreated' if made_marker else 'Delete'}"
    version = "" if done.version == NULL_VERSION else done.version
    return Happened(cause, event, bucket, done.key, version, None, "", int(at * 1e6), at)
