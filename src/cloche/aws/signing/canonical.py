"""The canonical form of a request: what client and server both hash.

Paths differ by service. S3 takes the key as it is, encoded once; every other service drops ``.``, ``..`` and
doubled slashes and encodes what came over the wire again (so it is encoded twice). Queries are sorted by encoded
name, then value. Of headers, values lose their outer blanks and runs of blanks become one.

Strings here are latin-1, one character a byte, as they came over the wire.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cloche.aws.http import Headers

REMEMBERED_CHARACTERS_MAX: Final = 2048
"""Of a query that is remembered with what was read of it: clients, waiters and links ask the same again."""
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?").fullmatch
_PLAIN_PART: Final = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
_BLANKS: Final = re.compile(r"[ \t]+")


def canonical_path(path: str, *, s3: bool) -> str:
    """``path`` as it came, percent-encoded, in canonical form."""
    if path and _PLAIN_PATH(path):
        return path
    if s3:
        return quote_from_bytes(unquote_to_bytes(path.encode("latin-1")), safe="/-_.~") or "/"
    return quote_from_bytes(_without_dots(path).encode("latin-1"), safe="/-_.~")


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    # A last "." or ".." leaves no slash behind, as botocore signs it (RFC 3986 would leave one).
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def canonical_query(query: str, *, without: tuple[str, ...] = ()) -> str:
    """``query`` decoded, encoded strictly and sorted; parameters named in ``without`` are left out."""
    if not query:
        return ""
    if len(query) > REMEMBERED_CHARACTERS_MAX:
        return _strict_query(query, without)
    return _remembered_query(query, without)


def _strict_query(query: str, without: tuple[str, ...]) -> str:
    pairs = []
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = _encoded(name)
        if name not in without:
            pairs.append((name, _encoded(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


_remembered_query = lru_cache(maxsize=1024)(_strict_query)


def _encoded(part: str) -> str:
    if _PLAIN_PART(part):
        return part
    return quote_from_bytes(unquote_to_bytes(part.replace("+", " ").encode("latin-1")), safe="-_.~")


def canonical_headers(headers: Headers, signed: Iterable[str]) -> str:
    """A line for each of ``signed``. One that is not in the request is a line without a colon, which nobody signed:
    even a header that was signed empty cannot be taken away."""
    lines = []
    for name in signed:
        if name not in headers:
            lines.append(f"{name}\n")
            continue
        value = ",".join(map(trimmed, headers.all(name))) if headers.repeats else trimmed(headers.get(name))
        lines.append(f"{name}:{value}\n")
    return "".join(lines)


def trimmed(value: str) -> str:
    """A header's value in canonical form."""
    if "  " in value or "\t" in value:
        value = _BLANKS.sub(" ", value)
    return value.strip(" ")
