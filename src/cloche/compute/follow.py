"""Reading what a process prints while it prints it: whole lines, from where the last look ended.

The position is the caller's to keep: a follower made with the ``offset`` of an earlier one goes on there. A line is
given once its newline is there, or when the output is said to be complete; one longer than
``LOG_LINE_BYTES_MAX`` is cut into pieces of that size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cloche.foundation.limits import LOG_LINE_BYTES_MAX, MIB

READ_BYTES_MAX: Final = MIB


class LineFollower:
    """``offset`` counts the bytes of all lines given so far."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def lines(self, *, complete: bool = False) -> list[str]:
        """The lines that have come since, at most ``READ_BYTES_MAX`` of them: call again until none is left.

        With ``complete`` (nothing will be added) a last line without a newline is one too.
        """
        data = self._read()
        end = data.rfind(b"\n") + 1
        if end == 0 and (complete or len(data) >= LOG_LINE_BYTES_MAX):
            end = min(len(data), LOG_LINE_BYTES_MAX)
        elif complete and len(data) < READ_BYTES_MAX:
            end = len(data)
        self.offset += end
        found: list[str] = []
        text = data[:end]
        for line in text.removesuffix(b"\n").split(b"\n") if text else ():
            line = line.removesuffix(b"\r")
            pieces = range(0, len(line), LOG_LINE_BYTES_MAX) if line else range(1)
            found += [line[at : at + LOG_LINE_BYTES_MAX].decode("utf-8", "replace") for at in pieces]
        return found

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return file.read(READ_BYTES_MAX)
        except FileNotFoundError:
            return b""
