"""The checksums that S3 clients send along, computed as the bytes pass.

CRC-32C and CRC-64/NVME are in no part of Python's library; here they are table-driven, two bytes a step. Clients
without a native library (boto3 as it is installed) use CRC-32, SHA-1 or SHA-256, which are.
Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html; RFC 3720 appendix B
(Castagnoli); the NVM Express NVM Command Set Specification 1.0 section 5.2.1.3.4 (CRC-64).
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

CRC32C_POLYNOMIAL: Final = 0x82F63B78
CRC64NVME_POLYNOMIAL: Final = 0x9A6C9329AC4BC9B5


class Checksum(Protocol):
    """Fed with ``update``; ``base64`` is the form of the ``x-amz-checksum-…`` headers."""

    def update(self, data: bytes) -> None: ...
    def base64(self) -> str: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def base64(self) -> str:
        return base64.b64encode(self._value.to_bytes(4, "big")).decode()


@lru_cache(maxsize=4)
def _table(polynomial: int) -> tuple[list[int], list[int]]:
    """Remainders of one byte, and of two (made at first use: 65,536 entries)."""
    one = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        one.append(value)
    two = [one[one[pair & 255] & 255 ^ pair >> 8] ^ one[pair & 255] >> 8 for pair in range(65536)]
    return one, two


class _ReflectedCrc:
    def __init__(self, polynomial: int, width: int) -> None:
        self._one, self._two = _table(polynomial)
        self._bytes = width // 8
        self._ones = (1 << width) - 1
        self._value = self._ones

    def update(self, data: bytes) -> None:
        value, two = self._value, self._two
        even = len(data) & ~1
        for pair in memoryview(data)[:even].cast("H") if _LITTLE else _pairs(data, even):
            value = two[(value ^ pair) & 0xFFFF] ^ (value >> 16)
        if len(data) != even:
            value = self._one[(value ^ data[-1]) & 0xFF] ^ (value >> 8)
        self._value = value

    def base64(self) -> str:
        return base64.b64encode((self._value ^ self._ones).to_bytes(self._bytes, "big")).decode()


_LITTLE: Final = memoryview(b"\x01\x00").cast("H")[0] == 1


def _pairs(data: bytes, even: int) -> list[int]:
    return [data[i] | data[i + 1] << 8 for i in range(0, even, 2)]


class _Hash:
    def __init__(self, name: str) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def base64(self) -> str:
        return base64.b64encode(self._hash.digest()).decode()


CHECKSUMS: Final[dict[str, Callable[[], Checksum]]] = {
    "x-amz-checksum-crc32": _Crc32,
    "x-amz-checksum-crc32c": lambda: _ReflectedCrc(CRC32C_POLYNOMIAL, 32),
    "x-amz-checksum-crc64nvme": lambda: _ReflectedCrc(CRC64NVME_POLYNOMIAL, 64),
    "x-amz-checksum-sha1": lambda: _Hash("sha1"),
    "x-amz-checksum-sha256": lambda: _Hash("sha256"),
}
"""By the name of the header or trailer that carries them."""
