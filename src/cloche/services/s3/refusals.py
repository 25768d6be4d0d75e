"""Members of supported operations that ask for what Cloche does not do: refused by their header's name.

Silently storing an object that its owner believes locked, encrypted with his own key or readable by others would
be worse than saying no.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Members
from cloche.services.s3.errors import not_implemented

_EVENT: Final = "Cloche keeps no event holds"

_REFUSED: Final[dict[str, tuple[str, str]]] = {
    "ObjectLockEventHold": ("x-amz-object-lock-event-hold", _EVENT),
    "ObjectLockEventHoldDurationDays": ("x-amz-object-lock-event-hold-duration-days", _EVENT),
    "ObjectLockEventHoldDurationYears": ("x-amz-object-lock-event-hold-duration-years", _EVENT),
    "WriteOffsetBytes": ("x-amz-write-offset-bytes", "appending is for directory buckets"),
    "IfMatchLastModifiedTime": ("x-amz-if-match-last-modified-time", "it is for directory buckets"),
    "IfMatchSize": ("x-amz-if-match-size", "it is for directory buckets"),
    "MFA": ("x-amz-mfa", "Cloche has no MFA delete"),
    "AnnotationDirective": ("x-amz-annotation-directive", "Cloche keeps no annotations"),
}


def refuse_unsupported(request: Members) -> None:
    """Raises NotImplemented, naming the header, for the first member that asks too much."""
    for member, value in request.items():
        refused = _REFUSED.get(member)
        if refused is not None and value is not False:
            raise not_implemented(*refused)
