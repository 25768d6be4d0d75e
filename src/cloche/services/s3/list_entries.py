"""The entries of a page of a bucket, as members and as XML.

A page has a thousand of them and a client who lists a bucket asks for nothing else, so the codec's way, a call for
each member of each entry, is too long: here an entry is one text with its row's values put in. ``members`` says what
an entry is, and a test holds that both ways tell the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from cloche.aws.operation import Elements, Members
from cloche.aws.protocols.scalars import iso_milliseconds
from cloche.aws.protocols.xml_writing import escape
from cloche.foundation.clock import from_epoch
from cloche.services.s3.access.owners import OwnerOf
from cloche.services.s3.describing import quoted, whole_seconds
from cloche.services.s3.paging import KeyEncoding
from cloche.storage.objects import Details, Listed

_STANDARD: Final = "<StorageClass>STANDARD</StorageClass>"
_HALF_A_MICROSECOND: Final = 5e-7
"""Moments are microseconds, rounded: what is nearer to the next second is told as that."""


class Entries(Elements):
    def __init__(self, listed: Sequence[Listed], shown: KeyEncoding, owner: OwnerOf | None) -> None:
        self._listed = listed
        self._shown = shown
        self._owner = owner

    def __len__(self) -> int:
        return len(self._listed)

    def __getitem__(self, index: Any) -> Any:
        found = self._listed[index]
        return [self._members(each) for each in found] if isinstance(index, slice) else self._members(found)

    def _members(self, listed: Listed) -> Members:
        key, size, etag, modified_at, _ = listed
        return members(self._shown(key), size, etag, whole_seconds(from_epoch(modified_at)), listed.said, self._owner)

    def xml(self, tag: str) -> str:
        shown, owners, out = self._shown, self._owner_texts(), []
        seconds: dict[int, str] = {}
        for key, size, etag, modified_at, details in self._listed:
            second = int(modified_at + _HALF_A_MICROSECOND)
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = iso_milliseconds(from_epoch(second))
            said = orjson.loads(details)
            owner = "" if owners is None else owners(said.get("owner", ""))
            storage_class, sums = said.get("storage_class"), said.get("checksums")
            out.append(
                f"<{tag}><Key>{escape(shown(key))}</Key><LastModified>{at}</LastModified>"
                f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size>"
                f"{_STANDARD if storage_class is None else f'<StorageClass>{storage_class}</StorageClass>'}"
                f"{owner}{'' if sums is None else _checksums(sums, said)}</{tag}>"
            )
        return "".join(out)

    def _owner_texts(self) -> Callable[[str], str] | None:
        owner_of, known = self._owner, dict[str, str]()
        if owner_of is None:
            return None

        def text(owner: str) -> str:
            if owner not in known:
                inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in owner_of(owner).items())
                known[owner] = f"<Owner>{inner}</Owner>"
            return known[owner]

        return text


def _checksums(sums: dict[str, str], said: dict[str, Any]) -> str:
    algorithms = "".join([f"<ChecksumAlgorithm>{name}</ChecksumAlgorithm>" for name in sums])
    return f"{algorithms}<ChecksumType>{said.get('checksum_type') or 'FULL_OBJECT'}</ChecksumType>"


def members(key: str, size: int, etag: str, modified: Any, details: Details, owner: OwnerOf | None) -> Members:
    """An entry, of an object or of a version."""
    entry: Members = {
        "Key": key,
        "LastModified": modified,
        "ETag": quoted(etag),
        "Size": size,
        "StorageClass": details.storage_class,
    }
    if owner is not None:
        entry["Owner"] = owner(details.owner)
    if details.checksums:
        entry["ChecksumAlgorithm"] = list(details.checksums)
        entry["ChecksumType"] = details.checksum_type or "FULL_OBJECT"
    return entry
