"""Members of supported operations that ask for what Cloche does not do: refused by their header's name.

Silently storing an object that its owner believes locked, encrypted with his own key or readable by others would
be worse than saying no.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Members
from cloche.services.s3.errors import invalid_argument, not_implemented

_LOCK: Final = "Cloche keeps no object locks"
_OWN_KEY: Final = "Cloche takes no customer-provided encryption keys"
_GRANT: Final = "Cloche keeps no access control lists"

_REFUSED: Final[dict[str, tuple[str, str]]] = {
    "ObjectLockMode": ("x-amz-object-lock-mode", _LOCK),
    "ObjectLockRetainUntilDate": ("x-amz-object-lock-retain-until-date", _LOCK),
    "ObjectLockLegalHoldStatus": ("x-amz-object-lock-legal-hold", _LOCK),
    "ObjectLockEventHold": ("x-amz-object-lock-event-hold", _LOCK),
    "ObjectLockEventHoldDurationDays": ("x-amz-object-lock-event-hold-duration-days", _LOCK),
    "ObjectLockEventHoldDurationYears": ("x-amz-object-lock-event-hold-duration-years", _LOCK),
    "ObjectLockEnabledForBucket": ("x-amz-bucket-object-lock-enabled", _LOCK),
    "SSECustomerAlgorithm": ("x-amz-server-side-encryption-customer-algorithm", _OWN_KEY),
    "SSECustomerKey": ("x-amz-server-side-encryption-customer-key", _OWN_KEY),
    "SSECustomerKeyMD5": ("x-amz-server-side-encryption-customer-key-MD5", _OWN_KEY),
    "CopySourceSSECustomerAlgorithm": (
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        _OWN_KEY,
    ),
    "CopySourceSSECustomerKey": ("x-amz-copy-source-server-side-encryption-customer-key", _OWN_KEY),
    "GrantFullControl": ("x-amz-grant-full-control", _GRANT),
    "GrantRead": ("x-amz-grant-read", _GRANT),
    "GrantReadACP": ("x-amz-grant-read-acp", _GRANT),
    "GrantWrite": ("x-amz-grant-write", _GRANT),
    "GrantWriteACP": ("x-amz-grant-write-acp", _GRANT),
    "WriteOffsetBytes": ("x-amz-write-offset-bytes", "appending is for directory buckets"),
    "IfMatchLastModifiedTime": ("x-amz-if-match-last-modified-time", "it is for directory buckets"),
    "IfMatchSize": ("x-amz-if-match-size", "it is for directory buckets"),
    "MFA": ("x-amz-mfa", "Cloche has no MFA delete"),
    "AnnotationDirective": ("x-amz-annotation-directive", "Cloche keeps no annotations"),
    "ChecksumMD5": ("x-amz-checksum-md5", "Cloche does not keep MD5 as an additional checksum"),
    "ChecksumXXHASH64": ("x-amz-checksum-xxhash64", "Cloche does not compute it"),
    "ChecksumXXHASH3": ("x-amz-checksum-xxhash3", "Cloche does not compute it"),
    "ChecksumXXHASH128": ("x-amz-checksum-xxhash128", "Cloche does not compute it"),
}

_ACLS: Final = ("private", "bucket-owner-full-control", "bucket-owner-read")
"""The owner alone reads and writes: what Cloche does."""
_CANNED_ACLS: Final = (*_ACLS, "public-read", "public-read-write", "authenticated-read", "aws-exec-read")


def refuse_unsupported(request: Members) -> None:
    """Raises NotImplemented, naming the header, for the first member that asks too much."""
    for member, value in request.items():
        refused = _REFUSED.get(member)
        if refused is not None and value is not False:
            raise not_implemented(*refused)
    acl = request.get("ACL")
    if acl is not None and acl not in _ACLS:
        if acl not in _CANNED_ACLS:
            raise invalid_argument("x-amz-acl", acl, "")
        raise not_implemented("x-amz-acl", f"{acl}: {_GRANT}; only the owner has access")
    version = request.get("VersionId")
    if version not in (None, "null"):
        if version == "":
            raise invalid_argument("versionId", "", "Version id cannot be the empty string")
        raise not_implemented("versionId", "Cloche keeps no object versions; null is the one there is")
