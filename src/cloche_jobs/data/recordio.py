"""RecordIO: any bytes as a stream of framed records.

    record := magic u32 0xced7230a | head u32 | data | zero bytes up to a multiple of four      (little-endian)
    head   := flag in the upper 3 bits, length of the data in the lower 29

Flag 0 is a whole record. A writer that wants the magic to mark nothing but starts of records (so that a reader may
jump into the middle of a file) takes it out wherever it stands in the data at a multiple of four, and writes what
lies between as parts: flag 1 opens, 2 goes on, 3 closes; the reader puts the magic back between them.
Source: ``recordio.h`` and ``recordio.cc`` of dmlc/dmlc-core.

AWS's own writer never splits (``serializer_utils.py`` of aws/sagemaker-python-sdk), and its reader knows no flags;
what is written here is therefore always whole records, which every reader knows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Final

from cloche_jobs.contract.failure import UserError

MAGIC: Final = 0xCED7230A
RECORD_BYTES_MAX: Final = (1 << 29) - 1
_HEAD: Final = struct.Struct("<II")
_MAGIC_BYTES: Final = struct.pack("<I", MAGIC)
_WHOLE, _OPENS, _GOES_ON, _CLOSES = range(4)
_LENGTH_BITS: Final = 29
# A length is only a claim: memory is asked for as the bytes arrive, not before.
_CHUNK: Final = 1 << 20


class RecordRefused(UserError):
    """The data is no RecordIO, or no ``Record`` message; the message names the data, the byte and the rule."""


def read_payloads(
    stream: IO[bytes], *, name: str = "The data", record_bytes_max: int = RECORD_BYTES_MAX
) -> Iterator[tuple[int, bytes]]:
    """Each record's data, with the byte of ``stream`` at which it starts, until the stream ends.

    Reads forward only (a pipe will do) and holds one record at a time, of ``record_bytes_max`` at most, its parts
    together. Raises ``RecordRefused`` where the frame is broken: also when the stream ends inside a record.
    """
    at = 0
    while True:
        start, size = at, 0
        parts: list[bytes] = []
        while True:
            head = _exactly(stream, _HEAD.size, at, name, may_end=not parts)
            if not head:
                return
            flag, length = _opened(head, at, name, inside=bool(parts))
            size += length
            if size > record_bytes_max:
                raise RecordRefused(f"{name}: the record at byte {start} is longer than {record_bytes_max} bytes")
            padded = length + (-length & 3)
            parts.append(_exactly(stream, padded, at + _HEAD.size, name)[:length])
            at += _HEAD.size + padded
            if flag in (_WHOLE, _CLOSES):
                break
            size += len(_MAGIC_BYTES)
        yield start, parts[0] if len(parts) == 1 else _MAGIC_BYTES.join(parts)


def frame(data: bytes) -> bytes:
    """``data`` as one whole record. Raises ``RecordRefused`` beyond ``RECORD_BYTES_MAX``."""
    if len(data) > RECORD_BYTES_MAX:
        raise RecordRefused(f"A RecordIO record holds at most {RECORD_BYTES_MAX} bytes, not {len(data)}")
    return _HEAD.pack(MAGIC, len(data)) + data + bytes(-len(data) & 3)


def _opened(head: bytes, at: int, name: str, *, inside: bool) -> tuple[int, int]:
    """Flag and length, checked against what may come here."""
    magic, word = _HEAD.unpack(head)
    if magic != MAGIC:
        raise RecordRefused(f"{name} is no RecordIO: byte {at} should start a record, but holds {magic:#010x}")
    flag, length = word >> _LENGTH_BITS, word & RECORD_BYTES_MAX
    if flag > _CLOSES:
        raise RecordRefused(f"{name}: the record at byte {at} has the unknown flag {flag}")
    if inside != (flag in (_GOES_ON, _CLOSES)):
        wrong = "another starts before this one has its end" if inside else "a later part has no first"
        raise RecordRefused(f"{name}: the record at byte {at} is out of order: {wrong}")
    return flag, length


def _exactly(stream: IO[bytes], size: int, at: int, name: str, *, may_end: bool = False) -> bytes:
    """``size`` bytes; none at the very start where the stream ``may_end``."""
    data = stream.read(min(size, _CHUNK))
    if len(data) == size:
        return data
    if not data and may_end:
        return data
    chunks = [data]
    got = len(data)
    while got < size:
        data = stream.read(min(size - got, _CHUNK))
        if not data:
            raise RecordRefused(f"{name} ends at byte {at + got}, inside a record that needs {size - got} bytes more")
        chunks.append(data)
        got += len(data)
    return b"".join(chunks)
