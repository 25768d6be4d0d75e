"""Paths of the registry protocol, and what they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from cloche.engines.image_registry.manifests import DIGEST, TAG
from cloche.engines.image_registry.repositories import NAME
from cloche.server.registry.refusals import Refused, digest_invalid

_WAYS: Final = tuple(
    (kind, re.compile(rf"(?P<name>.+)/{rest}"))
    for kind, rest in (
        ("uploads", r"blobs/uploads/?(?P<reference>)"),
        ("upload", r"blobs/uploads/(?P<reference>[^/]+)"),
        ("blob", r"blobs/(?P<reference>[^/]+)"),
        ("manifest", r"manifests/(?P<reference>[^/]+)"),
        ("tags", r"tags/list(?P<reference>)"),
        ("referrers", r"referrers/(?P<reference>[^/]+)"),
    )
)
_UPLOAD: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LENGTH_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Asked:
    kind: str
    """``base``, ``catalog``, ``blob``, ``uploads``, ``upload``, ``manifest``, ``tags`` or ``referrers``."""
    name: str = ""
    reference: str = ""
    """A digest, a tag, or an upload's id."""


def asked(path: str) -> Asked:
    """Raises ``Refused``."""
    rest = unquote(path, errors="replace").removeprefix("/v2").removeprefix("/")
    if not rest:
        return Asked("base")
    if rest == "_catalog":
        return Asked("catalog")
    found = next(_ways(rest), None)
    if found is None:
        raise Refused("UNSUPPORTED", "There is no such path in the registry API", 404)
    kind, name, reference = found
    if NAME.fullmatch(name) is None:
        raise Refused("NAME_INVALID", "The repository name is not valid", 400)
    if kind in ("blob", "referrers") and DIGEST.fullmatch(reference) is None:
        raise digest_invalid()
    if kind == "upload" and _UPLOAD.fullmatch(reference) is None:
        raise Refused("BLOB_UPLOAD_UNKNOWN", "There is no such upload", 404)
    if kind == "manifest" and DIGEST.fullmatch(reference) is None and TAG.fullmatch(reference) is None:
        if ":" in reference:
            raise digest_invalid()
        raise Refused("TAG_INVALID", "The tag is not valid", 400)
    return Asked(kind, name, reference)


def _ways(rest: str) -> Iterator[tuple[str, str, str]]:
    if len(rest) > _LENGTH_MAX:
        return
    for kind, way in _WAYS:
        if found := way.fullmatch(rest):
            yield kind, found["name"], found["reference"]
