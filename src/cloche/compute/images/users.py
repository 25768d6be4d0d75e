"""Who an image's ``USER`` is: found in the image's own ``/etc/passwd`` and ``/etc/group``, as Docker does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.compute.images.layers import Refused, resolved
from cloche.foundation.errors import Invalid

FILE_BYTES_MAX: Final = 1 << 20
ID_MAX: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class User:
    """As the image sees him. On this machine he is whoever runs Cloche, unless the image has many users."""

    uid: int = 0
    gid: int = 0
    home: str = "/"
    groups: tuple[int, ...] = ()
    """To which he belongs besides."""


def find_user(root: Path, text: str) -> User:
    """``text`` is ``USER`` as written. Raises ``Invalid`` for one whom the image does not know."""
    who, colon, group = text.partition(":")
    name, uid, gid, home = _user(root, who or "0")
    if colon and group:
        return User(uid, _group(root, group), home)
    return User(uid, gid, home, _groups(root, name))


def _user(root: Path, who: str) -> tuple[str, int, int, str]:
    for fields in _lines(root, "passwd", 6):
        if who in (fields[0], fields[2]) and fields[2].isdecimal() and fields[3].isdecimal():
            return fields[0], _id(fields[2]), _id(fields[3]), fields[5] or "/"
    if not who.isdecimal():
        raise Invalid(f"unable to find user {who[:100]}: no matching entries in passwd file", field="User")
    return "", _id(who), 0, "/"


def _group(root: Path, group: str) -> int:
    for fields in _lines(root, "group", 3):
        if group in (fields[0], fields[2]) and fields[2].isdecimal():
            return _id(fields[2])
    if not group.isdecimal():
        raise Invalid(f"unable to find group {group[:100]}: no matching entries in group file", field="User")
    return _id(group)


def _groups(root: Path, name: str) -> tuple[int, ...]:
    """Those that name him; a group given with the user is his only one, as with Docker."""
    lines = (fields for fields in _lines(root, "group", 4) if name and name in fields[3].split(","))
    return tuple(_id(fields[2]) for fields in lines if fields[2].isdecimal())


def _lines(root: Path, name: str, count: int) -> Iterator[list[str]]:
    """Lines of a file of the image; links are followed as the image follows them, never out of it."""
    try:
        content = _content(resolved(str(root), ["etc", name]))
    except (OSError, Refused):
        return
    for line in content.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) >= count:
            yield fields


def _content(path: str) -> bytes:
    """Of a plain file: a pipe in its place would have us wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(FILE_BYTES_MAX) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _id(text: str) -> int:
    if int(text) > ID_MAX:
        raise Invalid(f"{text[:40]} is no user or group that can be had here (at most {ID_MAX})", field="User")
    return int(text)
