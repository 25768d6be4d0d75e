"""Captured requests as lines of JSON, byte for byte as AWS writes them, made of what the event loop has kept of them.

Form, key order and times: the lines of real endpoints in aws/amazon-sagemaker-examples (model_quality_churn_sdk.ipynb,
sm-model_monitor_introduction.ipynb). Which bodies are text: the model's words on ``CaptureContentTypeHeader`` ("if no
headers are specified SageMaker AI will by default base64 encode when capturing the data"); a type is compared without
its parameters, since those lines have ``text/csv; charset=utf-8`` as CSV under a list that says ``text/csv``.

A body that is called text and is not UTF-8 has no form in JSON; it is kept as BASE64, so that no byte is lost.

What is kept is a row of entries, each of which ends with a line break. Facts (``facts_entry``) hold for the requests
behind them. A request is its id, its body, the id, the answer's body, the id: nobody could know the id when he wrote
the body, so it divides them whatever they are. A whole line, as an older server left it, is an entry, too.

This module is what the press runs (``press``), so it imports nothing else of the server.
"""

from __future__ import annotations

from base64 import b64encode
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
BEGINNINGS: Final = b"[{"
"""Of facts, and of a whole line."""
LINE_BEGIN: Final = BEGINNINGS[1]
MARK: Final = b"\n"
"""Added behind a request's entry: what is marked is whole."""

Told = tuple[str, str, str]
"""What a request's headers tell: content type, inference id, custom attributes."""

quoted: Final[Callable[[str], bytes]] = orjson.dumps
"""A JSON string: escaped where JSON demands it and nowhere else, as AWS's writer does."""


def facts_entry(told: Told, answered: str, at: str) -> bytes:
    """``answered`` is the answer's content type, ``at`` the time."""
    return orjson.dumps((*told, answered, at)) + MARK


def request_entry(id: bytes, body: bytes, output: bytes) -> bytes:
    """Without its mark. The event loop does the same by itself."""
    return id.join((EMPTY, body, output, EMPTY))


def end_of_entry(data: bytes | mmap, at: int) -> int:
    """Of the whole entry that begins there; -1 where none does."""
    first = data[at : at + 1]
    if first == b"[" or first == b"{":
        return data.find(MARK, at) + 1 or -1
    id = data[at : at + ID_BYTES]
    if first == b"\0" or len(id) < ID_BYTES:
        return -1
    second = data.find(id, at + ID_BYTES)
    third = data.find(id, second + ID_BYTES) if second > 0 else -1
    end = third + ID_BYTES
    return end + 1 if third > 0 and data[end : end + 1] == MARK else -1


class Side:
    """What stands around the bodies of one side, by content type."""

    def __init__(self, name: bytes, mode: bytes, csv: frozenset[str], json: frozenset[str]) -> None:
        self._name, self._mode = name, mode
        self._csv, self._json = csv, json

    def around(self, content_type: str) -> tuple[bytes, bytes]:
        """What comes before the data, and after it: nothing, where that is to be BASE64."""
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
    return b'%b"%b","encoding":"BASE64"}' % (before, b64encode(body))


class Lines:
    """Makes the lines of one plan; ``form`` is what of it they depend on: ``CapturePlan.form``."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        types = frozenset(form["csv_types"]), frozenset(form["json_types"])
        self._input = Side(b"endpointInput", b"INPUT", *types) if form["input"] else None
        self._output = Side(b"endpointOutput", b"OUTPUT", *types) if form["output"] else None

    def maker(self, told: Told, answered: str, at: str) -> Callable[[bytes, bytes, bytes], bytes]:
        """What makes the lines, each with its line break, of requests with those facts: of id, body, answer's body."""
        _, inference_id, attributes = told
        begin, middle, end = b'{"captureData":{', b'},"eventMetadata":{"eventId":"', b'",'
        if attributes:
            end += b'"customAttributes":[%b],' % quoted(attributes)
        if inference_id:
            end += b'"inferenceId":%b,' % quoted(inference_id)
        end += b'"inferenceTime":"%b"},"eventVersion":"0"}\n' % at.encode()
        asked = self._input.around(told[0]) if self._input is not None else None
        given = self._output.around(answered) if self._output is not None else None

        def any(id: bytes, body: bytes, output: bytes) -> bytes:
            sides = [_whole(around, data) for around, data in ((asked, body), (given, output)) if around is not None]
            return b"".join((begin, b",".join(sides), middle, id, end))

        if asked is None or given is None or not asked[1] or not given[1]:
            return any
        before, between, after = begin + asked[0], asked[1] + b"," + given[0], given[1] + middle

        def text(id: bytes, body: bytes, output: bytes) -> bytes:
            """The same, and sooner, where both are captured as text."""
            try:
                return b"".join((before, quoted(body.decode()), between, quoted(output.decode()), after, id, end))
            except UnicodeDecodeError:
                return any(id, body, output)

        return text

    def of(self, data: bytes, at: int) -> Iterator[bytes]:
        """The lines of the entries from ``at`` on, up to what is not whole."""
        make: Callable[[bytes, bytes, bytes], bytes] | None = None
        find, size = data.find, len(data)
        while at < size:
            first = data[at]
            if first in BEGINNINGS:
                end = find(MARK, at) + 1
                if not end:
                    return
                entry = data[at:end]
                if first == LINE_BEGIN:
                    yield entry
                else:
                    content_type, inference_id, attributes, answered, moment = orjson.loads(entry)
                    make = self.maker((content_type, inference_id, attributes), answered, moment)
                at = end
                continue
            body = at + ID_BYTES  # as ``end_of_entry``, which would cost a call for each
            id = data[at:body]
            second = find(id, body)
            third = find(id, second + ID_BYTES) if second > 0 else -1
            at = third + ID_BYTES + 1
            if third < 0 or make is None or not data.startswith(MARK, at - 1):
                return
            yield make(id, data[body:second], data[second + ID_BYTES : third])
