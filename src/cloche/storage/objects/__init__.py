"""Bytes on disk: buckets, objects, multipart uploads.

Others stage data with ``iter_prefix`` and ``link_into`` and bring results with ``put_file``; streams go through
``writer`` and ``commit``.
"""

from cloche.storage.objects.errors import (
    BucketNotEmpty,
    BucketNotFound,
    ChecksumMismatch,
    ConditionNotMet,
    KeyNotFound,
    ObjectLocked,
    PartInvalid,
    PartTooSmall,
    SizeMismatch,
    StoreError,
    UploadNotFound,
    VersioningFixed,
    VersionNotFound,
)
from cloche.storage.objects.happened import Cause, Happened
from cloche.storage.objects.lifecycle import Lifecycle
from cloche.storage.objects.listing import Listed, Page
from cloche.storage.objects.records import (
    Bucket,
    Deletion,
    Details,
    ObjectInfo,
    ObjectPart,
    Part,
    Upload,
    WriteCondition,
)
from cloche.storage.objects.schema import MIGRATIONS
from cloche.storage.objects.store import Doomed, ObjectStore
from cloche.storage.objects.version_listing import VersionsPage
from cloche.storage.objects.writer import ContentWriter, Written

__all__ = [
    "MIGRATIONS",
    "Bucket",
    "BucketNotEmpty",
    "BucketNotFound",
    "Cause",
    "ChecksumMismatch",
    "ConditionNotMet",
    "ContentWriter",
    "Deletion",
    "Details",
    "Doomed",
    "Happened",
    "KeyNotFound",
    "Lifecycle",
    "Listed",
    "ObjectInfo",
    "ObjectLocked",
    "ObjectPart",
    "ObjectStore",
    "Page",
    "Part",
    "PartInvalid",
    "PartTooSmall",
    "SizeMismatch",
    "StoreError",
    "Upload",
    "UploadNotFound",
    "VersionNotFound",
    "VersioningFixed",
    "VersionsPage",
    "WriteCondition",
    "Written",
]
