"""RecordIO frames and ``Record`` messages, against bytes that AWS's own writer wrote, and against hostile ones.

The vectors were written with ``sagemaker.amazon.common`` (2.257.7) and ``record_pb2`` (protobuf 6.33) on 2026-11-25.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.record import (
    Blob,
    Kind,
    Record,
    Tensor,
    Value,
    encode_record,
    parse_record,
    read_records,
    write_records,
)
from cloche_jobs.data.recordio import MAGIC, RecordRefused, frame, read_payloads
from cloche_jobs.data.wire import Malformed, bytes_field, varint_bytes

DENSE_FLOAT32 = bytes.fromhex(
    "0a23d7ce2c0000000a160a0676616c756573120c120a0a080000c03f000000c012120a0676616c756573120812060a040000803f"
    "0a23d7ce2c0000000a160a0676616c756573120c120a0a08000040400000804012120a0676616c756573120812060a0400000000"
)
DENSE_FLOAT64 = bytes.fromhex(
    "0a23d7ce310000000a1e0a0676616c75657312141a120a10000000000000f83f9c7500883ce4377e"
    "120f0a0676616c75657312053a030a0107000000"
)
INT32 = bytes.fromhex("0a23d7ce1c0000000a1a0a0676616c75657312103a0e0a0cffffffffffffffffff01ac02")
SPARSE = bytes.fromhex("0a180a0676616c756573120e120c0a040000a0401201021a010312120a0676616c756573120812060a040000803f")
ZEROS = bytes.fromhex("0a0f0a0676616c756573120512031a0103")
LARGE_KEY = bytes.fromhex("0a210a0676616c75657312171a150a0800000000000014401203f0a2041a04ac029003")
IMAGE = bytes.fromhex("0a1c0a05696d61676512134a110a0489504e471209696d6167652f706e671a017522016d2a027b7d")
MAGIC_BYTES = struct.pack("<I", MAGIC)


def part(flag: int, data: bytes) -> bytes:
    return struct.pack("<II", MAGIC, flag << 29 | len(data)) + data + bytes(-len(data) % 4)


def payloads(data: bytes) -> list[tuple[int, bytes]]:
    return list(read_payloads(io.BytesIO(data), name="train/part-0"))


def tensor_of(value: Value) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def refusal(data: bytes) -> str:
    with pytest.raises(RecordRefused) as caught:
        payloads(data)
    assert isinstance(caught.value, UserError), "the data is the user's"
    return caught.value.message


# What AWS's writer writes


def test_dense_float32_with_labels() -> None:
    first, second = read_records(io.BytesIO(DENSE_FLOAT32))
    assert first.features == {"values": Tensor.of("float32", (1.5, -2.0))}
    assert first.label == {"values": Tensor.of("float32", (1.0,))}
    assert tensor_of(second.features["values"]).values == array("f", (3.0, 4.0))
    assert not tensor_of(second.label["values"]).is_sparse


def test_float64_and_int32() -> None:
    (record,) = read_records(io.BytesIO(DENSE_FLOAT64))
    assert record.features == {"values": Tensor.of("float64", (1.5, 1e300))}
    assert record.label == {"values": Tensor.of("int32", (7,))}
    (record,) = read_records(io.BytesIO(INT32))
    assert record.features == {"values": Tensor.of("int32", (-1, 300))}


def test_sparse() -> None:
    assert parse_record(SPARSE).features == {"values": Tensor.of("float32", (5.0,), keys=(2,), shape=(3,))}
    zeros = tensor_of(parse_record(ZEROS).features["values"])
    assert zeros.is_sparse
    assert zeros.shape == (3,)
    large = tensor_of(parse_record(LARGE_KEY).features["values"])
    assert (list(large.keys), large.shape) == ([70_000], (300, 400))


def test_bytes_and_texts() -> None:
    record = parse_record(IMAGE)
    assert record.features == {"image": Blob([b"\x89PNG"], "image/png")}
    assert (record.uid, record.metadata, record.configuration) == ("u", "m", "{}")


@pytest.mark.parametrize("stream", [DENSE_FLOAT32, DENSE_FLOAT64, INT32])
def test_written_as_aws_writes(stream: bytes) -> None:
    written = io.BytesIO()
    write_records(read_records(io.BytesIO(stream)), written)
    assert written.getvalue() == stream


@pytest.mark.parametrize("message", [SPARSE, ZEROS, LARGE_KEY, IMAGE])
def test_encoded_as_protobuf_encodes(message: bytes) -> None:
    assert encode_record(parse_record(message)) == message


# Frames


@given(st.lists(st.binary(max_size=40)))
def test_frames_come_back(records: list[bytes]) -> None:
    assert [payload for _, payload in payloads(b"".join(map(frame, records)))] == records


def test_parts_get_the_magic_back() -> None:
    data = part(0, b"one") + part(1, b"left") + part(2, b"") + part(3, b"right") + part(0, b"")
    assert payloads(data) == [
        (0, b"one"),
        (12, b"left" + MAGIC_BYTES + MAGIC_BYTES + b"right"),
        (12 + 12 + 8 + 16, b""),
    ]


def test_the_magic_within_a_whole_record_is_data() -> None:
    assert payloads(frame(b"abcd" + MAGIC_BYTES)) == [(0, b"abcd" + MAGIC_BYTES)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b,c\n1,2,3\n", "train/part-0 is no RecordIO: byte 0 should start a record, but holds 0x2c622c61"),
        (part(0, b"one") + b"\0" * 8, "byte 12 should start a record, but holds 0x00000000"),
        (part(0, b"one")[:5], "train/part-0 ends at byte 5, inside a record that needs 3 bytes more"),
        (part(0, b"one")[:-1], "ends at byte 11, inside a record that needs 1 bytes more"),
        (part(1, b"one"), "ends at byte 12, inside a record that needs 8 bytes more"),
        (part(4, b"one"), "the record at byte 0 has the unknown flag 4"),
        (part(7, b"one"), "the record at byte 0 has the unknown flag 7"),
        (part(2, b"one"), "the record at byte 0 is out of order: a later part has no first"),
        (part(0, b"") + part(3, b"one"), "the record at byte 8 is out of order: a later part has no first"),
        (part(1, b"one!") + part(0, b"two"), "the record at byte 12 is out of order: another starts before"),
        (part(1, b"one!") + part(1, b"two"), "the record at byte 12 is out of order: another starts before"),
    ],
)
def test_broken_frames_are_refused_with_their_byte(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_a_claimed_length_takes_no_memory() -> None:
    claim = struct.pack("<II", MAGIC, (1 << 29) - 1) + b"short"
    tracemalloc.start()
    try:
        assert "ends at byte 13, inside a record that needs" in refusal(claim)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_bound_counts_the_parts_together() -> None:
    parts = io.BytesIO(part(1, b"x" * 40) + part(2, b"x" * 40) + part(3, b"x" * 40))
    with pytest.raises(RecordRefused, match="the record at byte 0 is longer than 100 bytes"):
        list(read_payloads(parts, record_bytes_max=100))


def test_a_pipe_that_gives_little_at_a_time() -> None:
    class Dribbling(io.RawIOBase):
        def __init__(self) -> None:
            self._bytes: Iterator[int] = iter(frame(b"one") + frame(b"and two"))

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            for byte in self._bytes:
                buffer[0] = byte
                return 1
            return 0

    assert [data for _, data in read_payloads(Dribbling())] == [b"one", b"and two"]  # type: ignore[arg-type]


# Messages


def named(value: bytes, name: bytes = b"values") -> bytes:
    return bytes_field(1, bytes_field(1, name) + bytes_field(2, value))


def floats(*values: float) -> bytes:
    return bytes_field(1, struct.pack(f"<{len(values)}f", *values))


def keys(*numbers: int) -> bytes:
    return bytes_field(2, b"".join(map(varint_bytes, numbers)))


def shape(*numbers: int) -> bytes:
    return bytes_field(3, b"".join(map(varint_bytes, numbers)))


def test_what_protobuf_readers_promise() -> None:
    unpacked = b"".join(bytes([1 << 3 | 5]) + struct.pack("<f", value) for value in (1.0, 2.0))
    assert parse_record(named(bytes_field(2, unpacked))).features["values"] == Tensor.of("float32", (1, 2))
    merged = named(bytes_field(2, floats(1.0)) + bytes_field(2, floats(2.0)))
    assert parse_record(merged).features["values"] == Tensor.of("float32", (1, 2))
    replaced = named(bytes_field(2, floats(1.0)) + bytes_field(7, bytes_field(1, b"\x05")))
    assert parse_record(replaced).features["values"] == Tensor.of("int32", (5,))
    again = named(bytes_field(2, floats(1.0))) + named(bytes_field(2, floats(2.0)))
    assert parse_record(again).features["values"] == Tensor.of("float32", (2,))
    unknown = b"".join((b"\x98\x06\x01", bytes_field(100, b"x"), b"\xa5\x06abcd", b"\xa1\x06abcdefgh"))
    assert parse_record(unknown + named(bytes_field(2, floats(1.0)) + unknown) + unknown).features
    single_keys = bytes_field(2, floats(1.0) + bytes([2 << 3, 3, 3 << 3, 9]))
    assert parse_record(named(single_keys)).features["values"] == Tensor.of("float32", (1,), keys=(3,), shape=(9,))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\xff", "byte 0: a number that does not end"),
        (b"\x08" + b"\x80" * 11, "byte 1: a number that does not end"),
        (b"\x00\x00", "byte 0: 0 is no field number"),
        (b"\x0b", "byte 0: a group, which this message has none of"),
        (b"\x0e", "byte 0: 6 is no wire type"),
        (b"\x0a\x05ab", "byte 0: field 1 is longer than what holds it"),
        (b"\x0d\x00", "byte 0: field 1 is longer than what holds it"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "byte 0: field 1 is longer than what holds it"),
        (b"\x1a\x01\xff", "byte 2: a text that is no UTF-8"),
        (named(bytes_field(2, floats(1.0)), name=b"\xc3("), "byte 4: a text that is no UTF-8"),
        (named(b""), "'values' has no tensor of a known kind"),
        (bytes_field(1, bytes_field(1, b"x")), "'x' has no tensor of a known kind"),
        (named(bytes_field(2, bytes_field(1, b"12345"))), "byte 16: 5 bytes are no whole number of 4-byte values"),
        (named(bytes_field(2, floats(1.0) + keys(1, 2))), "'values' has 2 keys for 1 values"),
        (named(bytes_field(2, floats(1.0) + keys(3) + shape(3))), "'values' has the key 3 outside its shape [3]"),
        (named(bytes_field(2, floats(1.0, 2.0) + shape(3))), "'values' has 2 values for its shape [3]"),
        (named(bytes_field(2, shape(*[2] * 65))), "a shape of more than 64 dimensions"),
        (named(bytes_field(2, bytes([3 << 3, 2]) * 65)), "a shape of more than 64 dimensions"),
    ],
)
def test_broken_messages_are_refused_with_their_byte(message: bytes, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_record(message)
    assert said in str(caught.value)


def test_a_broken_message_in_a_stream_is_named_with_record_and_byte() -> None:
    stream = io.BytesIO(frame(SPARSE) + frame(b"\x0b"))
    with pytest.raises(RecordRefused) as caught:
        list(read_records(stream, name="train/part-0"))
    assert caught.value.message == (
        "train/part-0: record 2 (at byte 56) is no Record message: byte 0: a group, which this message has none of"
    )


KINDS: st.SearchStrategy[tuple[Kind, list[float]]] = st.one_of(
    st.tuples(st.just("float32"), st.lists(st.floats(width=32, allow_nan=False))),
    st.tuples(st.just("float64"), st.lists(st.floats(allow_nan=False))),
    st.tuples(st.just("int32"), st.lists(st.integers(-(2**31), 2**31 - 1))),
)


@given(KINDS, st.lists(st.integers(0, 2**64 - 1)), st.text(max_size=10), st.booleans())
def test_records_come_back(numbers: tuple[Kind, list[float]], keys: list[int], name: str, sparse: bool) -> None:
    kind, values = numbers
    pairs = min(len(values), len(keys)) if sparse else 0
    tensor = Tensor.of(kind, values[:pairs] if sparse else values, keys=keys[:pairs])
    record = Record({name: tensor}, {"values": Tensor.of("float32", (1.0,))}, uid=name)
    assert parse_record(encode_record(record)) == record
