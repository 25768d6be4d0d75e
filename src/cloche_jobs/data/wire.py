"""As much of protobuf's encoding as a hand-written message needs: fields of a message, and packed numbers.

Bounded by the bytes it is given: nothing recurses, and a number takes eight bytes of memory for each byte read at the
most. Every refusal is a ``Malformed`` that carries the byte. Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import Final

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_GROUPS: Final = (3, 4)
_VARINT_BYTES_MAX: Final = 10
_FIELD_MAX: Final = (1 << 29) - 1
_MASK_64: Final = (1 << 64) - 1


class Malformed(ValueError):
    """What is wrong, at which byte of the message."""

    def __init__(self, at: int, rule: str) -> None:
        super().__init__(f"byte {at}: {rule}")


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Each field between ``start`` and ``end``: number, wire type, the number in it (varints), where its bytes are."""
    at = start
    while at < end:
        began = at
        tag, at = varint(data, at, end)
        field, kind = tag >> 3, tag & 7
        if not 0 < field <= _FIELD_MAX:
            raise Malformed(began, f"{field} is no field number")
        value = 0
        first = at
        if kind == VARINT:
            value, at = varint(data, at, end)
        elif kind == BYTES:
            length, first = varint(data, at, end)
            at = first + length
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        elif kind in _GROUPS:
            raise Malformed(began, "a group, which this message has none of")
        else:
            raise Malformed(began, f"{kind} is no wire type")
        if at > end:
            raise Malformed(began, f"field {field} is longer than what holds it")
        yield field, kind, value, first, at


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The unsigned number at ``at``, cut to 64 bits as protobuf cuts it, and the byte after it."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    for position in range(at, min(end, at + _VARINT_BYTES_MAX)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK_64, position + 1
        shift += 7
    raise Malformed(at, "a number that does not end")


def varints(data: bytes, start: int, end: int) -> Iterator[int]:
    """Packed numbers; those below 128 take a byte each, which a run of small ones is read by at once."""
    packed = data[start:end]
    if packed.isascii():
        yield from packed
        return
    at = start
    while at < end:
        value, at = varint(data, at, end)
        yield value


def signed_32(value: int) -> int:
    """The 32 bits of an ``int32``; negative ones are written in ten bytes."""
    return ((value & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000


def add_floats(into: array[float], data: bytes, start: int, end: int) -> None:
    """Packed little-endian ``float`` or ``double``, as ``into`` holds."""
    if (end - start) % into.itemsize:
        raise Malformed(start, f"{end - start} bytes are no whole number of {into.itemsize}-byte values")
    if sys.byteorder == "little":
        into.frombytes(data[start:end])
    else:
        into.extend(_swapped(array(into.typecode, data[start:end])))


def _swapped(values: array[float]) -> array[float]:
    values.byteswap()
    return values


def varint_bytes(value: int) -> bytes:
    """Negative numbers as protobuf writes them: their 64 bits."""
    value &= _MASK_64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def bytes_field(field: int, data: bytes) -> bytes:
    return varint_bytes(field << 3 | BYTES) + varint_bytes(len(data)) + data


def packed_floats(values: array[float]) -> bytes:
    return values.tobytes() if sys.byteorder == "little" else _swapped(array(values.typecode, values)).tobytes()
