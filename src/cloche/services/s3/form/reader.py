"""multipart/form-data, taken apart while it arrives: fields whole, the file piece by piece.

A field is a field by its name, even where the client gives it a file name; the file is the part named ``file``, and
what follows it is not looked at (docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html). Everything before
the file is bounded. Form: RFC 7578 and RFC 2046, section 5.1.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.foundation.limits import KIB
from cloche.services.s3.errors import s3_error

FIELD_BYTES_MAX: Final = 20 * KIB
"""What comes before the file, by S3's rule (ErrorResponses.html: MaxPostPreDataLengthExceededError)."""
PARTS_MAX: Final = 200
_PART_HEAD_BYTES_MAX: Final = 8 * KIB
_DRAINED_BYTES_MAX: Final = 256 * KIB
_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;",]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*(name|filename)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', re.IGNORECASE)


def is_form(request: HttpRequest) -> bool:
    kind = request.headers.get("content-type")
    return request.method == "POST" and kind[:19].lower() == "multipart/form-data"


class Form:
    """One form. ``fields`` (names in lower case) and ``filename`` are there once ``read_fields`` has returned."""

    def __init__(self, request: HttpRequest, stream: AsyncIterator[bytes]) -> None:
        found = _BOUNDARY.search(request.headers.get("content-type"))
        self._delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1") if found is not None else b""
        self._stream = stream
        self._held = bytearray(b"\r\n")  # so that the first delimiter looks like the others
        self._ended = False
        self.fields: dict[str, str] = {}
        self.filename = ""

    async def read_fields(self) -> None:
        """Read up to the file. Raises MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument where there
        is no file."""
        if not self._delimiter or await self._until(self._delimiter, FIELD_BYTES_MAX):
            raise _malformed()
        total = 0
        for _ in range(PARTS_MAX):
            if await self._is_last():
                raise s3_error(
                    "InvalidArgument",
                    "POST requires exactly one file upload per request.",
                    ArgumentName="file",
                    ArgumentValue="0",
                )
            name, filename = _named(await self._until(b"\r\n\r\n", _PART_HEAD_BYTES_MAX))
            if name == "file":
                self.filename = filename
                return
            value = await self._until(self._delimiter, FIELD_BYTES_MAX)
            total += len(name) + len(value)
            if total > FIELD_BYTES_MAX:
                raise _too_much()
            if name in self.fields:
                raise s3_error(
                    "InvalidArgument", "POST requires exactly one value per field.", ArgumentName=name, ArgumentValue=""
                )
            try:
                self.fields[name] = value.decode()
            except UnicodeDecodeError:
                raise _malformed() from None
        raise _too_much()

    async def file(self) -> AsyncIterator[bytes]:
        """The file's bytes. Raises MalformedPOSTRequest where the form ends in the middle of it."""
        keep = len(self._delimiter) - 1
        while True:
            at = self._held.find(self._delimiter)
            if at >= 0:
                if at:
                    yield bytes(self._held[:at])
                del self._held[: at + len(self._delimiter)]
                break
            if len(self._held) > keep:
                piece = bytes(self._held[:-keep])
                del self._held[:-keep]
                yield piece
            if not await self._more():
                raise _malformed()
        await self.drain()

    async def drain(self) -> None:
        """What little is left is read, so that the connection can go on, and that a sender who is refused still reads
        why."""
        left = _DRAINED_BYTES_MAX
        while left > 0 and not self._ended:
            self._held.clear()
            if await self._more():
                left -= len(self._held)

    async def _is_last(self) -> bool:
        while len(self._held) < 2:
            if not await self._more():
                raise _malformed()
        if self._held[:2] == b"--":
            return True
        if await self._until(b"\r\n", 128):  # only blanks may follow a delimiter, and nothing sends them
            raise _malformed()
        return False

    async def _until(self, end: bytes, most: int) -> bytes:
        """All up to ``end``, which is taken away, too."""
        start = 0
        while (at := self._held.find(end, start)) < 0:
            if len(self._held) > most + len(end):
                raise _too_much()
            start = max(0, len(self._held) - len(end))
            if not await self._more():
                raise _malformed()
        if at > most:
            raise _too_much()
        found = bytes(self._held[:at])
        del self._held[: at + len(end)]
        return found

    async def _more(self) -> bool:
        try:
            self._held += await anext(self._stream)
        except StopAsyncIteration:
            self._ended = True
            return False
        return True


def _named(head: bytes) -> tuple[str, str]:
    """The part's name (in lower case) and file name."""
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() != "content-disposition":
            continue
        found: Mapping[str, str] = {
            kind.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
            for kind, quoted, bare in _PARAMETER.findall(value)
        }
        if "name" in found:
            return found["name"].lower(), found.get("filename", "")
    raise _malformed()


def _malformed() -> AwsError:
    return s3_error(
        "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )  # LISTED


def _too_much() -> AwsError:
    return s3_error(
        "MaxPostPreDataLengthExceeded",
        "Your POST request fields preceding the upload file were too large.",
        MaxPostPreDataLengthBytes=FIELD_BYTES_MAX,
    )
