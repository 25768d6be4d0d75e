"""``Marker`` and ``MaxItems``: the marker names what the page ended with, so nothing is kept between pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from cloche.aws.errors import AwsError
from cloche.aws.operation import Members

T = TypeVar("T")


def page_of(request: Members) -> tuple[str, int]:
    """Behind which name the page begins, and how many it may hold (100 where the caller does not say)."""
    marker = request.get("Marker")
    if not marker:
        return "", request.get("MaxItems") or 100
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode(), request.get("MaxItems") or 100
    except (binascii.Error, UnicodeError, ValueError):
        raise AwsError("ValidationError", "Invalid Marker.", 400) from None


def paged(member: str, found: Sequence[object], after: str | None) -> Members:
    """The answer of a list operation; ``after`` names the last of the page where there are more."""
    answer: Members = {member: list(found), "IsTruncated": after is not None}
    if after is not None:
        answer["Marker"] = base64.urlsafe_b64encode(after.encode()).decode()
    return answer


def cut(found: Sequence[T], request: Members, name: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The page, in the order of ``name``, of a list that is whole in memory."""
    after, limit = page_of(request)
    rest = sorted((each for each in found if name(each) > after), key=name)
    return list(rest[:limit]), name(rest[limit - 1]) if len(rest) > limit else None
