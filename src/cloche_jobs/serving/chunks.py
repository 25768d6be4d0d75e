"""Chunked request bodies, fed piece by piece."""

from __future__ import annotations

from typing import Final

_LINE_BYTES_MAX: Final = 1_024
_TRAILER_BYTES_MAX: Final = 8_192


class ChunkReader:
    """One body. ``bytes_max`` bounds it."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.body = bytearray()
        self.left = -1
        """Bytes still to come of the chunk under way, with its line end; -1: a size line comes next."""
        self.trailer = False

    def feed(self, buffer: bytearray) -> bytes | None:
        """Take what can be taken from the front of ``buffer``; the whole body once it is there, else ``None``.

        Raises ``ValueError`` for what is not chunked coding and ``OverflowError`` for too long a body.
        """
        while not self.trailer:
            if self.left < 0:
                if not self._size_line(buffer):
                    return None
            elif not self._data(buffer):
                return None
        return self._end(buffer)

    def _size_line(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\r\n", 0, _LINE_BYTES_MAX)
        if end < 0:
            if len(buffer) > _LINE_BYTES_MAX:
                raise ValueError("malformed chunk")
            return False
        text = bytes(buffer[:end]).partition(b";")[0].strip()
        if not text or len(text) > 15 or not all(c in b"0123456789abcdefABCDEF" for c in text):
            raise ValueError("malformed chunk")
        size = int(text, 16)
        if len(self.body) + size > self.bytes_max:
            raise OverflowError
        del buffer[: end + 2]
        self.trailer, self.left = size == 0, size + 2
        return True

    def _data(self, buffer: bytearray) -> bool:
        if len(buffer) < self.left:
            return False
        if buffer[self.left - 2 : self.left] != b"\r\n":
            raise ValueError("malformed chunk")
        self.body += buffer[: self.left - 2]
        del buffer[: self.left]
        self.left = -1
        return True

    def _end(self, buffer: bytearray) -> bytes | None:
        if buffer.startswith(b"\r\n"):
            del buffer[:2]
            return bytes(self.body)
        end = buffer.find(b"\r\n\r\n", 0, _TRAILER_BYTES_MAX)
        if end < 0:
            if len(buffer) >= _TRAILER_BYTES_MAX:
                raise ValueError("malformed trailer")
            return None
        del buffer[: end + 4]
        return bytes(self.body)
