"""Members that Cloche's hosting does not act on yet are refused by name: kept and ignored, they would be a lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloche.aws.operation import Members
from cloche.foundation.errors import NotSupported


def refuse(members: Members, names: Mapping[str, str], prefix: str = "") -> None:
    """Raise ``NotSupported`` for the first of ``names`` that is set; its value says what the member is for."""
    for name, purpose in names.items():
        if is_set(members.get(name)):
            raise not_supported(prefix + name, purpose)


def is_set(value: Any) -> bool:
    """Absent, false and empty say the same."""
    return value not in (None, False, {}, [], "")


def not_supported(member: str, purpose: str) -> NotSupported:
    return NotSupported(f"{member} ({purpose}) is not supported by Cloche yet.")
