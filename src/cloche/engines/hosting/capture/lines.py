"""Captured requests as lines of JSON, byte for byte as AWS writes them, made of what the event loop has kept of them.

Form, key order and times: the lines of real endpoints in aws/amazon-sagemaker-examples (model_quality_churn_sdk.ipynb,
sm-model_monitor_introduction.ipynb). Which bodies are text: the model's words on ``CaptureContentTypeHeader`` ("if no
headers are specified SageMaker AI will by default base64 encode when capturing the data"); a type is compared without
its parameters, since those lines have ``text/csv; charset=utf-8`` as CSV under a list that says ``text/csv``.

A body that is called text and is not UTF-8 has no form in JSON; it is kept as BASE64, so that no byte is lost.

What is kept is a row of entries. Facts (``facts_entry``) hold for the requests behind them. A request is its body, the
answer's, the id, and behind each of them stands a divider of the file's own: drawn by chance when the file is begun,
and known to nobody who writes a body. So lines are made of many requests at once: they are text, which is escaped in
one call, and then each kind of divider is replaced by what stands there in the lines.

This module is what the press runs (``press``), so it imports nothing else of the server.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from mmap import mmap

OCTETS: Final = "application/octet-stream"
"""What a body without a content type is said to be, as in the answer to the caller."""
ID_BYTES: Final = 36
"""Of a request's id, a UUID."""
EMPTY: Final = b""
BLOCK_BYTES: Final = 32 * 1024
"""Of entries whose lines are made at once: all that is made on the way stays in the processor's nearer memory."""

Told = tuple[str, str, str]
"""What a request's headers tell: content type, inference id, custom attributes."""

quoted: Final[Callable[[str], bytes]] = orjson.dumps
"""A JSON string: escaped where JSON demands it and nowhere else, as AWS's writer does."""


class Dividers:
    """Of the file for which these characters were drawn. ``mark`` is added when all else of a request is
    there: what is marked is whole."""

    __slots__ = ("answered", "asked", "drawn", "facts", "mark")

    def __init__(self, drawn: str) -> None:
        self.drawn = drawn.encode()
        self.facts, self.asked, self.answered, self.mark = (b"%b%c" % (self.drawn, kind) for kind in b"ABCD")

    def facts_entry(self, told: Told, answered: str, at: str) -> bytes:
        """``answered`` is the answer's content type, ``at`` the time."""
        return orjson.dumps((*told, answered, at)) + self.facts

    def request_entry(self, id: bytes, body: bytes, output: bytes) -> bytes:
        """Without its mark. The event loop does the same by itself."""
        return EMPTY.join((body, self.asked, output, self.answered, id))

    def end_of_entry(self, data: bytes | mmap, at: int, most: int) -> int:
        """Of the whole entry that begins there and is not longer than ``most``; -1 where none does."""
        first = data.find(self.drawn, at, at + most)
        end = first + len(self.mark)
        if first < 0 or data[first:end] == self.facts:
            return end if first >= 0 else -1
        second = data.find(self.answered, end, at + most)
        third = second + len(self.mark) + ID_BYTES
        end = third + len(self.mark)
        return end if second >= 0 and data[third:end] == self.mark else -1


class Side:
    """What stands around the bodies of one side, by content type."""

    def __init__(self, name: bytes, mode: bytes, csv: frozenset[str], json: frozenset[str]) -> None:
        self._name, self._mode = name, mode
        self._csv, self._json = csv, json
        self._known: dict[str, tuple[bytes, bytes]] = {}

    def around(self, content_type: str) -> tuple[bytes, bytes]:
        """What comes before the data, and after it: nothing, where that is to be BASE64."""
        found = self._known.get(content_type)
        if found is None:
            found = self._known[content_type] = self._around(content_type)
        return found

    def _around(self, content_type: str) -> tuple[bytes, bytes]:
        media_type = content_type.partition(";")[0].strip().lower()
        encoding = b"CSV" if media_type in self._csv else b"JSON" if media_type in self._json else b""
        start = b'"%b":{"observedContentType":%b,"mode":"%b","data":'
        before = start % (self._name, quoted(content_type or OCTETS), self._mode)
        return before, b',"encoding":"%b"}' % encoding if encoding else b""


def _whole(around: tuple[bytes, bytes], body: bytes) -> bytes:
    """``"endpointInput":{…}`` or its counterpart."""
    before, after = around
    if after:
        try:
            return before + quoted(body.decode()) + after
        except UnicodeDecodeError:
            pass
    return b'%b"%b","encoding":"BASE64"}' % (before, b2a_base64(body, newline=False))


Make = Callable[[bytes], bytes]
"""Makes the lines, each with its line break, of marked requests."""


class Lines:
    """Makes the lines of one file; ``form`` is what of the plan they depend on: ``CapturePlan.form``."""

    def __init__(self, form: Mapping[str, Any], drawn: str) -> None:
        types = frozenset(form["csv_types"]), frozenset(form["json_types"])
        self._input = Side(b"endpointInput", b"INPUT", *types) if form["input"] else None
        self._output = Side(b"endpointOutput", b"OUTPUT", *types) if form["output"] else None
        self._dividers = Dividers(drawn)

    def maker(self, told: Told, answered: str, at: str) -> Make:
        """For requests with those facts."""
        _, inference_id, attributes = told
        begin, middle, end = b'{"captureData":{', b'},"eventMetadata":{"eventId":"', b'",'
        if attributes:
            end += b'"customAttributes":[%b],' % quoted(attributes)
        if inference_id:
            end += b'"inferenceId":%b,' % quoted(inference_id)
        end += b'"inferenceTime":"%b"},"eventVersion":"0"}\n' % at.encode()
        asked = self._input.around(told[0]) if self._input is not None else None
        given = self._output.around(answered) if self._output is not None else None
        first, second, third = self._dividers.asked, self._dividers.answered, self._dividers.mark

        def each(requests: bytes) -> bytes:
            made: list[bytes] = []
            for request in requests.split(third)[:-1]:
                body, _, rest = request.partition(first)
                output, _, id = rest.partition(second)
                sides = [_whole(around, data) for around, data in ((asked, body), (given, output)) if around]
                made += (begin, b",".join(sides), middle, id, end)
            return b"".join(made)

        if asked is None or given is None or not asked[1] or not given[1]:
            return each
        before = b'%b%b"' % (begin, asked[0])
        between, after, behind = b'"%b,%b"' % (asked[1], given[0]), b'"%b%b' % (given[1], middle), end + before

        def text(requests: bytes) -> bytes:
            """The same, and sooner, where both are captured as text."""
            try:
                escaped = quoted(requests.decode())[1:-1]
            except UnicodeDecodeError:
                return each(requests)
            made = escaped.replace(first, between).replace(second, after).replace(third, behind)
            return before + made[: -len(before)]

        return text

    def of(self, data: bytes | mmap, at: int) -> Iterator[bytes]:
        """The lines of the entries from ``at`` on, up to what is not whole; some at a time."""
        make: Make | None = None
        facts, mark = self._dividers.facts, self._dividers.mark
        end = data.rfind(mark, at) + len(mark)
        while at < end:
            stop = data.rfind(mark, at, at + BLOCK_BYTES)
            stop = (stop if stop >= 0 else data.find(mark, at)) + len(mark)
            *earlier, requests = data[at:stop].split(facts)
            for entries in earlier:
                before, marked, told = entries.rpartition(mark)
                if marked and make is not None:
                    yield make(before + mark)
                content_type, inference_id, attributes, answered, moment = orjson.loads(told)
                make = self.maker((content_type, inference_id, attributes), answered, moment)
            assert make is not None, "a file begins with facts"
            yield make(requests)
            at = stop
