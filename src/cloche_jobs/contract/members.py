"""Whether an archive has more members than it may, told before the first of them is unpacked.

To make a file takes many times as long as to read its header. So headers are looked at first, and only as long as the
archive may be one of very many small members: the first large one ends the look, and whoever unpacks counts besides.
What cannot be read as a header ends it, too; the reader that comes after says what is wrong.

The form: pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html ("ustar Interchange Format").
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

BLOCK: Final = 512
CHUNK_BYTES: Final = 1 << 20
BYTES_EACH_MAX: Final = 16 << 10
"""Of a member of an archive that is looked through, on average, with its header."""
DESCRIBING: Final = frozenset(b"xgLKX")
"""Types of headers that only describe the next."""
WITHOUT_DATA: Final = frozenset(b"123456")
WITH_DATA: Final = frozenset(b"0\x007") | DESCRIBING


def has_too_many(path: Path, most: int) -> bool:
    """Whether the archive at ``path``, plain or gzip, has more than ``most`` members, as far as a look can tell. Of one
    that is packed otherwise, or cannot be read, it tells nothing."""
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return has_more_members(gzip.GzipFile(fileobj=raw).read if is_packed else raw.read, most)
    except (OSError, EOFError, zlib.error):
        return False


def has_more_members(read: Callable[[int], bytes], most: int) -> bool:
    """The same of an archive that ``read`` reads."""
    buffer, start, at, members = b"", 0, 0, 0
    while at <= CHUNK_BYTES + members * BYTES_EACH_MAX:
        while at + BLOCK > start + len(buffer):
            chunk = read(CHUNK_BYTES)
            if not chunk:
                return False
            passed = min(at - start, len(buffer))
            buffer, start = buffer[passed:] + chunk, start + passed
        head = buffer[at - start : at - start + BLOCK]
        size = _size(head)
        if size is None:
            return False
        members += head[156] not in DESCRIBING
        if members > most:
            return True
        at += BLOCK + (-(-size // BLOCK) * BLOCK if head[156] in WITH_DATA else 0)
    return False


def _size(head: bytes) -> int | None:
    """``None`` for what is no header of a type that is known."""
    if head[257:262] != b"ustar" or (head[156] not in WITH_DATA and head[156] not in WITHOUT_DATA):
        return None
    try:
        return int(head[124:136].rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        return None
