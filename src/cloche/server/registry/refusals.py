"""What is refused, in the form and with the codes of the distribution spec ("Error Codes").

Statuses are those the spec gives, and those of github.com/distribution/distribution (registry/api/errcode,
registry/api/v2/errors.go) where it gives none.
"""

from __future__ import annotations

from typing import Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpResponse
from cloche.engines.image_registry import errors
from cloche.foundation.errors import ClocheError, Denied, Invalid, LimitReached, NotFound, NotSupported

Header = tuple[str, str]
_TABLE: Final[tuple[tuple[type[BaseException], str, int], ...]] = (
    (errors.RepositoryUnknown, "NAME_UNKNOWN", 404),
    (errors.ImageUnknown, "MANIFEST_UNKNOWN", 404),
    (errors.LayersUnknown, "BLOB_UNKNOWN", 404),
    (errors.ChildrenUnknown, "MANIFEST_BLOB_UNKNOWN", 400),
    (errors.ManifestInvalid, "MANIFEST_INVALID", 400),
    (errors.DigestDiffers, "DIGEST_INVALID", 400),
    (errors.TagImmutable, "TAG_INVALID", 400),  # aws/containers-roadmap#1612
    (errors.ImageReferenced, "DENIED", 409),
    (errors.LayerInUse, "DENIED", 409),
    (errors.UploadUnknown, "BLOB_UPLOAD_UNKNOWN", 404),
    (errors.UploadBusy, "BLOB_UPLOAD_INVALID", 409),
    (errors.LayerTooLarge, "SIZE_INVALID", 413),
    (Denied, "DENIED", 403),
    (NotFound, "NAME_UNKNOWN", 404),
    (LimitReached, "TOOMANYREQUESTS", 429),
    (NotSupported, "UNSUPPORTED", 405),
    (Invalid, "UNSUPPORTED", 400),
)
_OF_STATUS: Final = {403: "DENIED", 405: "UNSUPPORTED", 413: "SIZE_INVALID", 429: "TOOMANYREQUESTS"}


class Refused(Exception):
    """``code`` is one of the spec's."""

    def __init__(
        self, code: str, message: str, status: int, detail: object = None, headers: tuple[Header, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.detail, self.headers = code, message, status, detail, headers


def digest_invalid() -> Refused:
    return Refused("DIGEST_INVALID", "The digest is not sha256: and 64 hexadecimal digits", 400)


def not_allowed(*allowed: str) -> Refused:
    return Refused("UNSUPPORTED", "The operation is unsupported.", 405, headers=(("allow", ", ".join(allowed)),))


def refused(error: BaseException) -> Refused:
    """As the client is to be told. What nobody foresaw is ``UNKNOWN``, and tells nothing more."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, AwsError):
        status = 403 if error.code == "AccessDeniedException" else error.status
        return Refused(_OF_STATUS.get(status, "UNSUPPORTED"), error.message, status, headers=error.headers)
    if isinstance(error, ClocheError):
        for kind, code, status in _TABLE:
            if isinstance(error, kind):
                return Refused(code, error.message, status, getattr(error, "digests", None))
    return Refused("UNKNOWN", "We encountered an internal error. Please try again.", 500)


def response(error: Refused) -> HttpResponse:
    document = {"errors": [{"code": error.code, "message": error.message, "detail": error.detail}]}
    return HttpResponse(error.status, [("content-type", "application/json"), *error.headers], orjson.dumps(document))
