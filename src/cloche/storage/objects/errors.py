"""What can be missing, told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloche.foundation.errors import ClocheError, Conflict, Denied, Invalid, NotFound

if TYPE_CHECKING:
    from cloche.storage.objects.records import ObjectInfo


class StoreError(ClocheError):
    """Any of these."""


class BucketNotFound(StoreError, NotFound):
    def __init__(self, bucket: str) -> None:
        super().__init__(f"there is no bucket {bucket!r}")
        self.bucket = bucket


class KeyNotFound(StoreError, NotFound):
    """``marker`` is the delete marker that stands in the object's place, if one does."""

    def __init__(self, bucket: str, key: str, marker: ObjectInfo | None = None) -> None:
        super().__init__(f"there is no object {key!r} in bucket {bucket!r}")
        self.bucket = bucket
        self.key = key
        self.marker = marker


class VersionNotFound(StoreError, NotFound):
    def __init__(self, key: str, version: str) -> None:
        super().__init__(f"there is no version {version!r} of object {key!r}")
        self.key = key
        self.version = version


class ObjectLocked(StoreError, Denied):
    """A retention or a legal hold keeps the version."""

    def __init__(self, key: str, version: str) -> None:
        super().__init__(f"version {version!r} of object {key!r} is locked")
        self.key = key
        self.version = version


class VersioningFixed(StoreError, Conflict):
    """Object lock needs versions: it does not let versioning be suspended, nor come without it."""


class UploadNotFound(StoreError, NotFound):
    def __init__(self, upload: str) -> None:
        super().__init__(f"there is no multipart upload {upload!r}")
        self.upload = upload


class BucketNotEmpty(StoreError, Conflict):
    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} still holds objects")
        self.bucket = bucket


class ConditionNotMet(StoreError, Conflict):
    """A conditional write found another state than the one it was asked for. ``condition`` is its header."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"the condition of {condition} does not hold")
        self.condition = condition


class PartInvalid(StoreError, Invalid):
    """A part that was named is not there, or is another one. ``number`` is the part's, ``etag`` as given."""

    def __init__(self, number: int, etag: str) -> None:
        super().__init__(f"part {number} is not there, or its ETag is not {etag!r}")
        self.number = number
        self.etag = etag


class PartTooSmall(StoreError, Invalid):
    """A part but the last is smaller than ``size_min`` bytes."""

    def __init__(self, number: int, etag: str, size: int, size_min: int) -> None:
        super().__init__(f"part {number} has {size} bytes; all but the last need {size_min}")
        self.number = number
        self.etag = etag
        self.size = size
        self.size_min = size_min


class ChecksumMismatch(StoreError, Invalid):
    """The whole does not have the checksum that was told of it. ``kept`` is the algorithm there is, if any."""

    def __init__(self, algorithm: str, kept: str) -> None:
        super().__init__(f"the {algorithm} of the whole is not the one given")
        self.algorithm = algorithm
        self.kept = kept


class SizeMismatch(StoreError, Invalid):
    """The parts do not add up to the size that was told."""

    def __init__(self, told: int, computed: int) -> None:
        super().__init__(f"the parts have {computed} bytes, not {told}")
        self.told = told
        self.computed = computed
