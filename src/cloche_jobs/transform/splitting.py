"""From a file to payloads: whole, or cut between lines, RecordIO records or TFRecords.

With one record a payload the frame around it is taken off, with several it stays, as AWS says
(docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformInput.html). Lines are found by searching for their
ends from where a payload is full: nobody looks at each of them.

TFRecord: length u64 | masked CRC-32C of the length | data | masked CRC-32C of the data, little-endian
(tensorflow.org/tutorials/load_data/tfrecord). Only the first sum is checked: the second is the model's to check.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Protocol

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.recordio import frame, read_payloads
from cloche_jobs.transform.batch import MULTI, SINGLE, Manner, Payload, Refused

CHUNK_BYTES = 1 << 20
_CLIENT = "ClientError"


class Source(Protocol):
    """What a file's bytes are read from, forward only."""

    def read(self, size: int, /) -> bytes: ...


class Unzipped:
    """What a gzip file holds, all its members one after the other. Raises ``Refused``."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj(wbits=31)
        self._rest = b""
        self._begun = False

    def read(self, size: int, /) -> bytes:
        found: list[bytes] = []
        missing = size
        try:
            while missing:
                if self._inflate.eof:
                    self._rest = (self._inflate.unused_data or self._rest).lstrip(b"\0")
                    self._inflate, self._begun = zlib.decompressobj(wbits=31), False
                self._rest = self._rest or self._stream.read(CHUNK_BYTES)
                if not self._rest:
                    break
                piece = self._inflate.decompress(self._rest, missing)
                self._rest, self._begun = self._inflate.unconsumed_tail, True
                found.append(piece)
                missing -= len(piece)
        except zlib.error as error:
            raise Refused(_CLIENT, f"it is no gzip data: {error}") from error
        if missing and self._begun and not self._inflate.eof:
            raise Refused(_CLIENT, "its gzip data ends too early")
        return b"".join(found)


def payloads(path: Path, split: str, manner: Manner, *, gzip: bool, whole: bool) -> Iterator[Payload]:
    """The file's payloads, in order. ``whole``: the body has to be there at once, not while it is sent. Raises
    ``Refused``."""
    if manner.bytes_max is None and not whole and (split == "None" or (split, manner.strategy) == ("Line", MULTI)):
        if path.stat().st_size:
            yield Payload(b"", 1, stream=_streamed(path, gzip=gzip))
        return
    with path.open("rb") as stream:
        source: Source = Unzipped(stream) if gzip else stream
        if split == "None":
            yield from _entire(source, manner)
        elif split == "Line":
            yield from _single_lines(source, manner) if manner.strategy == SINGLE else _lines(source, manner)
        else:
            records = _recordio(source) if split == "RecordIO" else _tfrecords(source)
            yield from _framed(records, manner)


def _streamed(path: Path, *, gzip: bool) -> Iterator[bytes]:
    """The whole file, open as long as somebody reads on."""
    with path.open("rb") as stream:
        source: Source = Unzipped(stream) if gzip else stream
        while data := source.read(CHUNK_BYTES):
            yield data


def _entire(source: Source, manner: Manner) -> Iterator[Payload]:
    most = manner.bytes_max
    body = _read(source, None if most is None else most + 1)
    if most is not None and len(body) > most:
        raise _too_long("the file", manner)
    if body:
        yield Payload(body, 1)


def _lines(source: Source, manner: Manner) -> Iterator[Payload]:
    most = manner.bytes_max
    if most is None:
        yield from _entire(source, manner)
        return
    rest, first = b"", 1
    while True:
        data = rest + _read(source, most - len(rest) + 1)
        if len(data) <= most:
            if data.strip(b"\r\n"):
                yield Payload(data, first)
            return
        end = data.rfind(b"\n", 0, most) + 1
        if not end:
            raise _too_long("the line", manner, f"line {first}")
        body, rest = data[:end], data[end:]
        if body.strip(b"\r\n"):
            yield Payload(body, first)
        first += body.count(b"\n")


def _single_lines(source: Source, manner: Manner) -> Iterator[Payload]:
    most, rest, number = manner.bytes_max, b"", 0
    while True:
        data = _read(source, CHUNK_BYTES)
        *lines, rest = (rest + data).split(b"\n")
        if not data:
            lines, rest = [rest], b""
        for line in lines:
            number += 1
            line = line.removesuffix(b"\r")
            if most is not None and len(line) > most:
                raise _too_long("the line", manner, f"line {number}")
            if line:
                yield Payload(line, number)
        if most is not None and len(rest) > most + 1:
            raise _too_long("the line", manner, f"line {number + 1}")
        if not data:
            return


def _framed(records: Iterator[tuple[bytes, bytes]], manner: Manner) -> Iterator[Payload]:
    """``records`` are (data, data in its frame)."""
    most, size, first, number = manner.bytes_max, 0, 1, 0
    kept: list[bytes] = []
    for data, framed in records:
        number += 1
        single = manner.strategy == SINGLE
        if most is not None and len(data if single else framed) > most:
            raise _too_long("the record", manner, f"record {number}")
        if single:
            yield Payload(data, number)
            continue
        if most is not None and size + len(framed) > most:
            yield Payload(b"".join(kept), first)
            kept, size, first = [], 0, number
        kept.append(framed)
        size += len(framed)
    if kept:
        yield Payload(b"".join(kept), first)


def _recordio(source: Source) -> Iterator[tuple[bytes, bytes]]:
    number = 0
    try:
        for _, data in read_payloads(_Exact(source), name="the file"):  # type: ignore[arg-type]
            number += 1
            yield data, frame(data)
    except UserError as error:
        raise Refused(_CLIENT, error.message, f"record {number + 1}") from error


def _tfrecords(source: Source) -> Iterator[tuple[bytes, bytes]]:
    number = 0
    while head := _read(source, 12):
        number += 1
        where = f"record {number}"
        if len(head) < 12:
            raise Refused(_CLIENT, "the file ends inside a TFRecord's head", where)
        length, checksum = struct.unpack("<QI", head)
        if _masked(_crc32c(head[:8])) != checksum:
            raise Refused(_CLIENT, "the file is no TFRecord file: a length's checksum is wrong", where)
        data = _read(source, length + 4)
        if len(data) < length + 4:
            raise Refused(_CLIENT, "the file ends inside a TFRecord", where)
        yield data[:-4], head + data


class _Exact:
    """A source whose ``read`` gives less than was asked for only at the end."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return _read(self._source, size)


def _read(source: Source, size: int | None) -> bytes:
    """``size`` bytes, or all there are; fewer only at the end. Memory is asked for as they come."""
    found: list[bytes] = []
    left = size
    while left is None or left > 0:
        data = source.read(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
        if not data:
            break
        found.append(data)
        left = None if left is None else left - len(data)
    return found[0] if len(found) == 1 else b"".join(found)


def _too_long(what: str, manner: Manner, where: str = "") -> Refused:
    return Refused(_CLIENT, f"{what} is longer than MaxPayloadInMB allows ({manner.payload_mb} MB)", where)


@cache
def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


def _crc32c(data: bytes) -> int:
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _masked(value: int) -> int:
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
