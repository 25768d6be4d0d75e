"""``aialgs.data.Record``, the message inside ``application/x-recordio-protobuf``: named tensors and their labels.

    Record  features map<string, Value> = 1   label map<string, Value> = 2
            uid = 3   metadata = 4   configuration = 5                                            (strings, optional)
    Value   one of  float32_tensor = 2   float64_tensor = 3   int32_tensor = 7   bytes = 9
    …Tensor values = 1   keys (uint64) = 2   shape (uint64) = 3                                   (packed, repeated)
    Bytes   value (repeated) = 1   content_type = 2

A tensor with keys is sparse: each key is the place of its value in the flattened tensor, and the shape tells how
large that is. A sparse row of nothing but zeros is written with its shape alone. Generic features and labels stand
under the name ``values``. Source: docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html.

Read by hand, because the message is small and the images need no protobuf library for it. What protobuf's readers
promise is kept: unknown fields are passed over, unpacked numbers are taken for packed ones, of a map's equal names the
last wins, repeated embedded messages merge. Beyond that a tensor must make sense: as many keys as values, keys within
the shape, a dense tensor as large as its shape says.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Final, Literal, TypeAlias

from cloche_jobs.data import wire
from cloche_jobs.data.recordio import RecordRefused, frame, read_payloads
from cloche_jobs.data.wire import Malformed

Kind = Literal["float32", "float64", "int32"]
_FIELD_OF: Final[dict[Kind, int]] = {"float32": 2, "float64": 3, "int32": 7}
_KIND_OF: Final[dict[int, Kind]] = {number: kind for kind, number in _FIELD_OF.items()}
_TYPECODE: Final[dict[Kind, str]] = {"float32": "f", "float64": "d", "int32": "i"}
_BYTES_FIELD: Final = 9
_FEATURES, _LABEL, _UID, _METADATA, _CONFIGURATION = range(1, 6)
VALUES: Final = "values"
# numpy's own bound is 64 (``NPY_MAXDIMS``); without one a shape of a megabyte would be multiplied out.
_DIMENSIONS_MAX: Final = 64


@dataclass(slots=True)
class Tensor:
    """``values`` has the tensor's own kind and lends its memory (``memoryview``, ``numpy.frombuffer``)."""

    kind: Kind
    values: array[float]
    keys: array[int] = field(default_factory=lambda: array("Q"))
    shape: tuple[int, ...] = ()

    @property
    def is_sparse(self) -> bool:
        """A tensor that has a size but no value at all is the sparse one whose values are all zero."""
        return bool(self.keys) or (not self.values and bool(self.shape))

    @classmethod
    def of(cls, kind: Kind, values: Iterable[float], *, keys: Iterable[int] = (), shape: Iterable[int] = ()) -> Tensor:
        """Raises ``OverflowError`` and ``TypeError`` for values that the kind cannot hold."""
        return cls(kind, array(_TYPECODE[kind], values), array("Q", keys), tuple(shape))


@dataclass(slots=True)
class Blob:
    """Raw bytes of a feature: images, text."""

    parts: list[bytes] = field(default_factory=list)
    content_type: str = ""


Value: TypeAlias = Tensor | Blob


@dataclass(slots=True)
class Record:
    features: dict[str, Value] = field(default_factory=dict)
    label: dict[str, Value] = field(default_factory=dict)
    uid: str = ""
    metadata: str = ""
    configuration: str = ""


def read_records(stream: IO[bytes], *, name: str = "The data") -> Iterator[Record]:
    """The records of a RecordIO stream, one at a time. Raises ``RecordRefused``."""
    for number, (at, payload) in enumerate(read_payloads(stream, name=name), 1):
        try:
            record = parse_record(payload)
        except Malformed as error:
            raise RecordRefused(f"{name}: record {number} (at byte {at}) is no Record message: {error}") from error
        yield record


def write_records(records: Iterable[Record], stream: IO[bytes]) -> None:
    for record in records:
        stream.write(frame(encode_record(record)))


def parse_record(data: bytes) -> Record:
    """Raises ``Malformed`` with the byte of ``data``."""
    record = Record()
    texts = {_UID: "uid", _METADATA: "metadata", _CONFIGURATION: "configuration"}
    for number, kind, _, start, end in wire.fields(data, 0, len(data)):
        if number in (_FEATURES, _LABEL) and kind == wire.BYTES:
            named, value = _entry(data, start, end)
            (record.features if number == _FEATURES else record.label)[named] = value
        elif number in texts and kind == wire.BYTES:
            setattr(record, texts[number], _text(data, start, end))
    return record


def encode_record(record: Record) -> bytes:
    parts = []
    for number, named in ((_FEATURES, record.features), (_LABEL, record.label)):
        for name, value in named.items():
            entry = wire.bytes_field(1, name.encode()) + wire.bytes_field(2, _value_bytes(value))
            parts.append(wire.bytes_field(number, entry))
    for number, text in ((_UID, record.uid), (_METADATA, record.metadata), (_CONFIGURATION, record.configuration)):
        if text:
            parts.append(wire.bytes_field(number, text.encode()))
    return b"".join(parts)


def _entry(data: bytes, start: int, end: int) -> tuple[str, Value]:
    """One name of a map with its value."""
    name, value = "", None
    for number, kind, _, first, last in wire.fields(data, start, end):
        if number == 1 and kind == wire.BYTES:
            name = _text(data, first, last)
        elif number == 2 and kind == wire.BYTES:
            value = _merged(value, data, first, last)
    if value is None:
        raise Malformed(start, f"{name!r} has no tensor of a known kind")
    if isinstance(value, Tensor):
        _check(value, name, start)
    return name, value


def _merged(value: Value | None, data: bytes, start: int, end: int) -> Value | None:
    """What stood there before, with what this ``Value`` says: the same kind goes on, another one replaces it."""
    for number, wire_type, _, first, last in wire.fields(data, start, end):
        if wire_type != wire.BYTES:
            continue
        if number in _KIND_OF:
            kind = _KIND_OF[number]
            if not (isinstance(value, Tensor) and value.kind == kind):
                value = Tensor.of(kind, ())
            _add_tensor(value, data, first, last)
        elif number == _BYTES_FIELD:
            if not isinstance(value, Blob):
                value = Blob()
            _add_blob(value, data, first, last)
    return value


def _add_tensor(tensor: Tensor, data: bytes, start: int, end: int) -> None:
    add_value = _adding(tensor)
    for number, kind, value, first, last in wire.fields(data, start, end):
        if number == 1:
            add_value(kind, data, first, last)
        elif number in (2, 3) and kind in (wire.BYTES, wire.VARINT):
            numbers = wire.varints(data, first, last) if kind == wire.BYTES else (value,)
            if number == 2:
                tensor.keys.extend(numbers)
            else:
                tensor.shape = (*tensor.shape, *islice(numbers, _DIMENSIONS_MAX + 1))
                if len(tensor.shape) > _DIMENSIONS_MAX:
                    raise Malformed(first, f"a shape of more than {_DIMENSIONS_MAX} dimensions")


def _adding(tensor: Tensor) -> Callable[[int, bytes, int, int], None]:
    """How this tensor takes a field of values, packed or a single one."""
    if tensor.kind == "int32":

        def add(kind: int, data: bytes, start: int, end: int) -> None:
            if kind in (wire.BYTES, wire.VARINT):
                tensor.values.extend(map(wire.signed_32, wire.varints(data, start, end)))

        return add
    single = wire.FIXED32 if tensor.kind == "float32" else wire.FIXED64

    def add_floats(kind: int, data: bytes, start: int, end: int) -> None:
        if kind in (wire.BYTES, single):
            wire.add_floats(tensor.values, data, start, end)

    return add_floats


def _add_blob(blob: Blob, data: bytes, start: int, end: int) -> None:
    for number, kind, _, first, last in wire.fields(data, start, end):
        if kind == wire.BYTES and number == 1:
            blob.parts.append(data[first:last])
        elif kind == wire.BYTES and number == 2:
            blob.content_type = _text(data, first, last)


def _check(tensor: Tensor, name: str, at: int) -> None:
    size = math.prod(tensor.shape)
    if tensor.keys and len(tensor.keys) != len(tensor.values):
        raise Malformed(at, f"{name!r} has {len(tensor.keys)} keys for {len(tensor.values)} values")
    if not tensor.shape:
        return
    if tensor.keys and max(tensor.keys) >= size:
        raise Malformed(at, f"{name!r} has the key {max(tensor.keys)} outside its shape {list(tensor.shape)}")
    if tensor.values and not tensor.keys and len(tensor.values) != size:
        raise Malformed(at, f"{name!r} has {len(tensor.values)} values for its shape {list(tensor.shape)}")


def _text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise Malformed(start + error.start, "a text that is no UTF-8") from error


def _value_bytes(value: Value) -> bytes:
    if isinstance(value, Blob):
        inner = b"".join(wire.bytes_field(1, part) for part in value.parts)
        if value.content_type:
            inner += wire.bytes_field(2, value.content_type.encode())
        return wire.bytes_field(_BYTES_FIELD, inner)
    integers = value.kind == "int32"
    inner = b"".join(
        wire.bytes_field(number, packed)
        for number, packed in (
            (1, _packed(value.values) if integers else wire.packed_floats(value.values)),
            (2, _packed(value.keys)),
            (3, _packed(value.shape)),
        )
        if packed
    )
    return wire.bytes_field(_FIELD_OF[value.kind], inner)


def _packed(numbers: Iterable[float]) -> bytes:
    return b"".join(wire.varint_bytes(int(number)) for number in numbers)
