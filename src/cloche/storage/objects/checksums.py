"""S3's additional checksums: CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512.

CRC32 and the SHA family come from the standard library. CRC32C and CRC64NVME do not, and a byte-at-a-time loop
would crawl, so they are computed in many lanes at once: a block is cut into lanes, and one step takes a byte of
*every* lane. A lane's register is spread over byte planes; a step is then a table look-up for all lanes at once
(``bytes.translate``) and an exclusive-or of long integers. At the end the lanes' registers are joined, which a
CRC allows because it is linear: joining shifts the left register over the right lane's length, and a shift by
a fixed length is again a table per byte.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final, Protocol

LANES: Final = 4096
LANE_BYTES: Final = 64
BLOCK: Final = LANES * LANE_BYTES


class Digest(Protocol):
    def update(self, data: bytes | bytearray | memoryview) -> None: ...

    def base64(self) -> str: ...


class _Hash:
    def __init__(self, name: str) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._hash.update(data)

    def base64(self) -> str:
        return base64.b64encode(self._hash.digest()).decode()


class _Crc:
    def __init__(self, step: Callable[[bytes | bytearray | memoryview, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._value = self._step(data, self._value)

    def base64(self) -> str:
        return base64.b64encode(self._value.to_bytes(self._size, "big")).decode()


# Reflected polynomials: RFC 3720 (Castagnoli); NVM Express base specification 2.0, 5.2.1.3.4.
CASTAGNOLI: Final = 0x82F63B78
NVME: Final = 0x9A6C9329AC4BC9B5


class Crc:
    """A reflected CRC of ``bits`` (32 or 64) with all bits inverted before and after, in table form."""

    def __init__(self, polynomial: int, bits: int) -> None:
        self.polynomial = polynomial
        self.bits = bits
        self.size = bits // 8
        self.ones = (1 << bits) - 1
        self.table = [self._byte(value) for value in range(256)]
        self._planes = [bytes((entry >> 8 * plane) & 0xFF for entry in self.table) for plane in range(self.size)]
        self._join_lane: list[list[int]] = []

    def _byte(self, value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ (self.polynomial if value & 1 else 0)
        return value

    def update(self, data: bytes | bytearray | memoryview, value: int = 0) -> int:
        """The CRC of what had ``value`` followed by ``data``."""
        register = value ^ self.ones
        view = memoryview(data)
        whole = len(view) // BLOCK * BLOCK
        for start in range(0, whole, BLOCK):
            register = self._block(register, bytes(view[start : start + BLOCK]))
        table = self.table
        for byte in view[whole:]:
            register = register >> 8 ^ table[(register ^ byte) & 0xFF]
        return register ^ self.ones

    def _block(self, register: int, block: bytes) -> int:
        planes = [0] * self.size
        for plane in range(self.size):  # the first lane continues the register, the others start at zero
            planes[plane] = register >> 8 * plane & 0xFF
        last = self.size - 1
        for step in range(LANE_BYTES):
            column = int.from_bytes(block[step::LANE_BYTES], "little")
            index = (planes[0] ^ column).to_bytes(LANES, "little")
            for plane in range(last):
                looked_up = index.translate(self._planes[plane])
                planes[plane] = planes[plane + 1] ^ int.from_bytes(looked_up, "little")
            planes[last] = int.from_bytes(index.translate(self._planes[last]), "little")
        return self._join([plane.to_bytes(LANES, "little") for plane in planes])

    def _join(self, planes: list[bytes]) -> int:
        if not self._join_lane:
            self._join_lane = self._shift_tables(LANE_BYTES)
        tables = list(enumerate(self._join_lane))
        joined = 0
        for lane in zip(*planes, strict=True):
            shifted = int.from_bytes(lane, "little")
            for place, table in tables:
                shifted ^= table[joined >> 8 * place & 0xFF]
            joined = shifted
        return joined

    def _shift_tables(self, length: int) -> list[list[int]]:
        """For each byte of a register, what it becomes after ``length`` zero bytes."""
        columns = self._power(length)
        return [[_times(columns, value << 8 * place) for value in range(256)] for place in range(self.size)]

    def _power(self, length: int) -> list[int]:
        """The matrix (a column per bit) that carries a register over ``length`` zero bytes."""
        step = [self._zero_byte(1 << bit) for bit in range(self.bits)]
        result = [1 << bit for bit in range(self.bits)]
        while length:
            if length & 1:
                result = [_times(step, column) for column in result]
            step = [_times(step, column) for column in step]
            length >>= 1
        return result

    def _zero_byte(self, register: int) -> int:
        return register >> 8 ^ self.table[register & 0xFF]

    def combine(self, first: int, second: int, second_length: int) -> int:
        """The CRC of two strings in a row from the CRC of each and the length of the second."""
        return _times(self._power(second_length), first) ^ second


def _times(columns: list[int], register: int) -> int:
    product = 0
    bit = 0
    while register:
        if register & 1:
            product ^= columns[bit]
        register >>= 1
        bit += 1
    return product


@cache
def crc(algorithm: str) -> Crc:
    """The CRC behind ``CRC32``, ``CRC32C`` or ``CRC64NVME``."""
    polynomial, bits = {"CRC32": (0xEDB88320, 32), "CRC32C": (CASTAGNOLI, 32), "CRC64NVME": (NVME, 64)}[algorithm]
    return Crc(polynomial, bits)


HASHES: Final = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
CRCS: Final = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8}
SIZES: Final = {**CRCS, "SHA1": 20, "SHA256": 32, "SHA512": 64}
ALGORITHMS: Final = tuple(SIZES)


def digest(algorithm: str) -> Digest:
    """A running checksum by S3's name for it. Raises ``KeyError`` for one that is not among ``ALGORITHMS``."""
    if algorithm in HASHES:
        return _Hash(HASHES[algorithm])
    step = zlib.crc32 if algorithm == "CRC32" else crc(algorithm).update
    return _Crc(step, CRCS[algorithm])


def is_checksum(algorithm: str, text: str) -> bool:
    """Whether ``text`` is base64 of the right length."""
    try:
        return len(base64.b64decode(text, validate=True)) == SIZES[algorithm]
    except (binascii.Error, ValueError):
        return False


def full_object(algorithm: str, parts: list[tuple[str, int]]) -> str:
    """The CRC (base64) of the whole from each part's CRC and size, without reading a byte."""
    step = crc(algorithm)
    value = 0
    for checksum, size in parts:
        part = int.from_bytes(base64.b64decode(checksum), "big")
        value = step.combine(value, part, size)
    return base64.b64encode(value.to_bytes(step.size, "big")).decode()


def composite(algorithm: str, parts: list[str]) -> str:
    """S3's checksum of checksums: over the parts' binary checksums, with ``-N`` behind."""
    made = digest(algorithm)
    for checksum in parts:
        made.update(base64.b64decode(checksum))
    return f"{made.base64()}-{len(parts)}"
