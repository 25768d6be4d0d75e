"""RecordIO streams and ``Record`` messages; what was read must come back from the writer."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from cloche_jobs.data.record import Record, Tensor, Value, encode_record, parse_record, read_records, write_records
from cloche_jobs.data.recordio import RecordRefused, frame, read_payloads
from cloche_jobs.data.wire import Malformed


def one(data: bytes) -> None:
    framed, body = data[:1] < b"\x80", data[1:]
    if framed:
        _stream(body)
        return
    try:
        record = parse_record(body)
    except Malformed:
        return
    assert _same(record, parse_record(encode_record(record)))


def _stream(body: bytes) -> None:
    at = -1
    try:
        for start, payload in read_payloads(io.BytesIO(body), record_bytes_max=2_048):
            assert start > at and len(payload) <= 2_048
            at = start
            assert list(read_payloads(io.BytesIO(frame(payload)))) == [(0, payload)]
    except RecordRefused:
        pass
    try:
        records = list(read_records(io.BytesIO(body)))
    except RecordRefused:
        return
    written = io.BytesIO()
    write_records(records, written)
    written.seek(0)
    assert all(map(_same, records, read_records(written)))


def _same(one: Record, other: Record) -> bool:
    texts = (one.uid, one.metadata, one.configuration) == (other.uid, other.metadata, other.configuration)
    return texts and all(
        mine.keys() == theirs.keys() and all(_alike(mine[name], theirs[name]) for name in mine)
        for mine, theirs in ((one.features, other.features), (one.label, other.label))
    )


def _alike(one: Value, other: Value) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        same_place = (one.kind, one.keys, one.shape) == (other.kind, other.keys, other.shape)
        return same_place and _equal(one.values, other.values)
    return one == other


def _equal(one: Sequence[float], other: Sequence[float]) -> bool:
    """Equal numbers, where no number equals no number."""
    return len(one) == len(other) and all(
        mine == theirs or (math.isnan(mine) and math.isnan(theirs)) for mine, theirs in zip(one, other, strict=True)
    )
