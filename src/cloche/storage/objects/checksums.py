"""S3's additional checksums: three CRCs, three SHAs, MD5 and three XXHashes.

CRC32, the SHAs and MD5 come from the standard library, the rest from the AWS Common Runtime's Python binding, which
computes them with the processor's own instructions. It costs a tenth of a second and 8 MB to load, so it is loaded
when the first of its checksums is asked for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol

from cloche.foundation.runtime_library import runtime_checksums

HASHES: Final = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512", "MD5": "md5"}
CRCS: Final = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8}
XXHASHES: Final = {"XXHASH64": 8, "XXHASH3": 8, "XXHASH128": 16}
SIZES: Final = {**CRCS, "SHA1": 20, "SHA256": 32, "SHA512": 64, "MD5": 16, **XXHASHES}
ALGORITHMS: Final = tuple(SIZES)
DEFAULT: Final = "CRC64NVME"
"""What S3 computes for an object that comes without a checksum, since December 2024
(docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)."""

Data = bytes | bytearray | memoryview


class Digest(Protocol):
    def update(self, data: Data) -> None: ...

    def base64(self) -> str: ...


class _Hash:
    def __init__(self, name: str) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)

    def update(self, data: Data) -> None:
        self._hash.update(data)

    def base64(self) -> str:
        return base64.b64encode(self._hash.digest()).decode()


class _Crc:
    def __init__(self, step: Callable[[Data, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: Data) -> None:
        self._value = self._step(data, self._value)

    def base64(self) -> str:
        return base64.b64encode(self._value.to_bytes(self._size, "big")).decode()


class _XxHash:
    """The runtime's ends with its first answer, and takes ``bytes`` alone."""

    def __init__(self, made: Any) -> None:
        self._hash = made
        self._answer = ""

    def update(self, data: Data) -> None:
        self._hash.update(bytes(data))

    def base64(self) -> str:
        if not self._answer:
            self._answer = base64.b64encode(self._hash.finalize()).decode()
        return self._answer


@cache
def _runtime() -> Any:
    return runtime_checksums()


def digest(algorithm: str) -> Digest:
    """A running checksum by S3's name for it. Raises ``KeyError`` for one that is not among ``ALGORITHMS``."""
    if algorithm in HASHES:
        return _Hash(HASHES[algorithm])
    size = SIZES[algorithm]
    if algorithm == "CRC32":
        return _Crc(zlib.crc32, size)
    if algorithm in CRCS:
        return _Crc(getattr(_runtime(), algorithm.lower()), size)
    made = {"XXHASH64": "new_xxhash64", "XXHASH3": "new_xxhash3_64", "XXHASH128": "new_xxhash3_128"}[algorithm]
    return _XxHash(getattr(_runtime().XXHash, made)())


def is_checksum(algorithm: str, text: str) -> bool:
    """Whether ``text`` is base64 of the right length."""
    try:
        return len(base64.b64decode(text, validate=True)) == SIZES[algorithm]
    except (binascii.Error, ValueError):
        return False


def full_object(algorithm: str, parts: list[tuple[str, int]]) -> str:
    """The CRC (base64) of the whole from each part's CRC and size, without reading a byte."""
    combine = getattr(_runtime(), f"combine_{algorithm.lower()}")
    value = 0
    for checksum, size in parts:
        value = combine(value, int.from_bytes(base64.b64decode(checksum), "big"), size)
    return base64.b64encode(value.to_bytes(CRCS[algorithm], "big")).decode()


def composite(algorithm: str, parts: list[str]) -> str:
    """S3's checksum of checksums: over the parts' binary checksums, with ``-N`` behind."""
    made = digest(algorithm)
    for checksum in parts:
        made.update(base64.b64decode(checksum))
    return f"{made.base64()}-{len(parts)}"
