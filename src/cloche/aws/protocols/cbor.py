"""RFC 8949 CBOR, as much of it as smithy's rpc-v2-cbor uses, read with suspicion.

A length in CBOR is a promise of up to 2^64 items made in nine bytes. Here no promise is believed further than the
bytes at hand reach: a string longer than the rest of the body, or an array with more items than bytes left, is
refused before anything is allocated. Depth and number of containers are bounded; indefinite lengths end at the
end of the body at the latest. Tags other than 1 (a moment) are read through. Numbers are written the shortest way,
floats always as 64 bits, so that a double is a double for every client.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any, Final

from cloche.aws.protocols import scalars
from cloche.foundation.limits import CONTAINERS_MAX, NESTING_DEPTH_MAX


class MalformedCbor(ValueError):
    """The bytes are not one sound CBOR value within the limits."""


class _Break:
    """The end of something of indefinite length."""


_BREAK: Final = _Break()
_FLOATS: Final = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_SIMPLE: Final = {20: False, 21: True, 22: None, 23: None}


def loads(data: bytes) -> Any:
    """Raises ``MalformedCbor``. Moments (tag 1) come as ``datetime``."""
    reader = _Reader(data)
    value = reader.value(0)
    if value is _BREAK or reader.at != len(data):
        raise MalformedCbor("not exactly one value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._containers = 0
        self.at = 0

    def value(self, depth: int) -> Any:
        kind, info = self._head()
        if kind == 7:
            return self._simple(info)
        if info == 31:
            return self._indefinite(kind, depth)
        number = self._argument(info)
        if kind == 0:
            return number
        if kind == 1:
            return -1 - number
        if kind in (2, 3):
            return self._string(kind, number)
        if kind == 6:
            return self._tagged(number, depth)
        self._enter(depth, number)
        if kind == 4:
            return [self._item(depth) for _ in range(number)]
        return self._pairs(number, depth)

    def _head(self) -> tuple[int, int]:
        if self.at >= len(self._data):
            raise MalformedCbor("it ends too early")
        first = self._data[self.at]
        self.at += 1
        return first >> 5, first & 31

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            raise MalformedCbor("a length beyond the end")
        piece = self._data[self.at : end]
        self.at = end
        return piece

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise MalformedCbor("a reserved length")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _string(self, kind: int, size: int) -> Any:
        piece = self._take(size)
        if kind == 2:
            return piece
        try:
            return piece.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedCbor("a text that is not UTF-8") from None

    def _enter(self, depth: int, items: int) -> None:
        self._containers += 1
        if depth >= NESTING_DEPTH_MAX or self._containers > CONTAINERS_MAX:
            raise MalformedCbor("too deep or too many containers")
        if items > len(self._data) - self.at:
            raise MalformedCbor("more items than bytes")

    def _item(self, depth: int) -> Any:
        value = self.value(depth + 1)
        if value is _BREAK:
            raise MalformedCbor("a break where a value belongs")
        return value

    def _pairs(self, count: int, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for _ in range(count):
            self._pair(self._item(depth), depth, out)
        return out

    def _pair(self, key: Any, depth: int, out: dict[str, Any]) -> None:
        if type(key) is not str or key in out:
            raise MalformedCbor("a key that is no text, or stands twice")
        out[key] = self._item(depth)

    def _indefinite(self, kind: int, depth: int) -> Any:
        if kind in (2, 3):
            return self._chunks(kind)
        if kind not in (4, 5):
            raise MalformedCbor("an indefinite length where none may be")
        self._enter(depth, 0)
        items: list[Any] = []
        pairs: dict[str, Any] = {}
        while (value := self.value(depth + 1)) is not _BREAK:
            if kind == 4:
                items.append(value)
            else:
                self._pair(value, depth, pairs)
        return items if kind == 4 else pairs

    def _chunks(self, kind: int) -> Any:
        pieces = []
        while True:
            of, info = self._head()
            if (of, info) == (7, 31):
                break
            if of != kind or info == 31:
                raise MalformedCbor("a chunk of another kind")
            pieces.append(self._string(kind, self._argument(info)))
        return b"".join(pieces) if kind == 2 else "".join(pieces)

    def _simple(self, info: int) -> Any:
        if info == 31:
            return _BREAK
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info in _FLOATS:
            form = _FLOATS[info]
            return form.unpack(self._take(form.size))[0]
        raise MalformedCbor("a simple value without a meaning")

    def _tagged(self, tag: int, depth: int) -> Any:
        if depth >= NESTING_DEPTH_MAX:
            raise MalformedCbor("too deep")
        value = self._item(depth)
        if tag != 1:
            return value
        if type(value) not in (int, float) or value != value:
            raise MalformedCbor("a moment that is no number")
        try:
            return scalars.moment_from_seconds(value)
        except ValueError as error:
            raise MalformedCbor(str(error)) from None


def dumps(value: Any) -> bytes:
    """Of ``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes``, ``datetime``, lists and string-keyed maps."""
    out: list[bytes] = []
    _write(value, out)
    return b"".join(out)


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes((kind << 5 | number,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes((kind << 5 | info,)) + number.to_bytes(size, "big")
    raise OverflowError("a number of more than 64 bits")


def _write(value: Any, out: list[bytes]) -> None:
    kind = type(value)
    if kind is str:
        data = value.encode("utf-8")
        out.append(_head(3, len(data)) + data)
    elif kind is dict:
        out.append(_head(5, len(value)))
        for key, item in value.items():
            _write(str(key), out)
            _write(item, out)
    elif kind is list or kind is tuple:
        out.append(_head(4, len(value)))
        for item in value:
            _write(item, out)
    elif value is None or kind is bool:
        out.append(b"\xf6" if value is None else (b"\xf5" if value else b"\xf4"))
    elif kind is int:
        out.append(_head(0, value) if value >= 0 else _head(1, -1 - value))
    elif kind is float:
        out.append(b"\xfb" + struct.pack(">d", value))
    elif isinstance(value, bytes | bytearray):
        out.append(_head(2, len(value)) + bytes(value))
    elif isinstance(value, datetime):
        out.append(b"\xc1" + b"\xfb" + struct.pack(">d", float(scalars.seconds(value))))
    else:
        raise TypeError(f"CBOR cannot carry a {kind.__name__}")
