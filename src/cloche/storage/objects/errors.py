"""What can be missing, told apart."""

from __future__ import annotations

from cloche.foundation.errors import Conflict, Invalid, NotFound


class BucketNotFound(NotFound):
    def __init__(self, bucket: str) -> None:
        super().__init__(f"there is no bucket {bucket!r}")
        self.bucket = bucket


class KeyNotFound(NotFound):
    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"there is no object {key!r} in bucket {bucket!r}")
        self.bucket = bucket
        self.key = key


class UploadNotFound(NotFound):
    def __init__(self, upload: str) -> None:
        super().__init__(f"there is no multipart upload {upload!r}")
        self.upload = upload


class BucketNotEmpty(Conflict):
    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} still holds objects")
        self.bucket = bucket


class ConditionNotMet(Conflict):
    """A conditional write found another state than the one it was asked for. ``condition`` is its header."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"the condition of {condition} does not hold")
        self.condition = condition


class PartInvalid(Invalid):
    """A part that was named is not there, or is another one. ``number`` is the part's, ``etag`` as given."""

    def __init__(self, number: int, etag: str) -> None:
        super().__init__(f"part {number} is not there, or its ETag is not {etag!r}")
        self.number = number
        self.etag = etag


class PartTooSmall(Invalid):
    """A part but the last is smaller than ``size_min`` bytes."""

    def __init__(self, number: int, etag: str, size: int, size_min: int) -> None:
        super().__init__(f"part {number} has {size} bytes; all but the last need {size_min}")
        self.number = number
        self.etag = etag
        self.size = size
        self.size_min = size_min
