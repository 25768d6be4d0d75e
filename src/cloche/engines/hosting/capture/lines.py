"""One captured request as a line of JSON, byte for byte as AWS writes it.

Form, key order and times: the lines of real endpoints in aws/amazon-sagemaker-examples (model_quality_churn_sdk.ipynb,
sm-model_monitor_introduction.ipynb). Which bodies are text: the model's words on ``CaptureContentTypeHeader`` ("if no
headers are specified SageMaker AI will by default base64 encode when capturing the data"); a type is compared without
its parameters, since those lines have ``text/csv; charset=utf-8`` as CSV under a list that says ``text/csv``.

A body that is called text and is not UTF-8 has no form in JSON; it is kept as BASE64, so that no byte is lost.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Final

import orjson

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.capture.plan import CapturePlan

OCTETS: Final = "application/octet-stream"
"""What a body without a content type is said to be, as in the answer to the caller."""
FORMS_MAX: Final = 256
"""Pairs of content types whose frames are remembered; they are the callers' to choose."""

BEGIN: Final = b'{"captureData":{'
MIDDLE: Final = b'},"eventMetadata":{"eventId":"'
AFTER_ID: Final = b'",'
quoted: Final[Callable[[str], bytes]] = orjson.dumps
"""A JSON string: escaped where JSON demands it and nowhere else, as AWS's writer does."""


Frame = tuple[bytes, bytes, bytes, bytes]
"""What stands before two bodies, between them, behind them, and behind the event's id."""
Told = tuple[str, str, str]
"""What a request's headers tell: content type, inference id, custom attributes."""
Heard = tuple[bytes, str, Told]
"""What of a request a record has: its body, its id, its headers. Plain tuples: one with names takes five times as long
to make, a fifth of what a record takes."""


class Side:
    """What stands around the bodies of one side, by content type."""

    __slots__ = ("_csv", "_json", "_mode", "_name")

    def __init__(self, plan: CapturePlan, name: bytes, mode: bytes) -> None:
        self._name = name
        self._mode = mode
        self._csv = frozenset(plan.csv_types)
        self._json = frozenset(plan.json_types)

    def frame(self, content_type: str) -> tuple[bytes, bytes]:
        """What comes before the data, and after it: nothing, where that is to be BASE64."""
        media_type = content_type.partition(";")[0].strip().lower()
        encoding = b"CSV" if media_type in self._csv else b"JSON" if media_type in self._json else b""
        start = b'"%b":{"observedContentType":%b,"mode":"%b","data":'
        before = start % (self._name, quoted(content_type or OCTETS), self._mode)
        return before, b',"encoding":"%b"}' % encoding if encoding else b""

    def whole(self, content_type: str, body: bytes) -> bytes:
        """``"endpointInput":{…}`` or its counterpart."""
        before, after = self.frame(content_type)
        if after:
            try:
                return before + quoted(body.decode()) + after
            except UnicodeDecodeError:
                pass
        return b'%b"%b","encoding":"BASE64"}' % (before, b64encode(body))


class Lines:
    """Makes the lines of one plan. A line ends with its line break, and has no other."""

    __slots__ = ("_input", "_known", "_output")

    def __init__(self, plan: CapturePlan) -> None:
        self._input = Side(plan, b"endpointInput", b"INPUT") if plan.input else None
        self._output = Side(plan, b"endpointOutput", b"OUTPUT") if plan.output else None
        self._known: dict[tuple[str, bytes], tuple[bytes, bytes, bytes] | None] = {}

    def frame(self, told: Told, answer: Answer, end: bytes) -> Frame | None:
        """Of the lines of such requests and answers (the same ``told``, the same headers), where both bodies are to be
        captured as text. ``end`` is ``end_of`` the moment. What is made is one ``join`` for each line, with no other
        call of Python: see ``Recorder.take``."""
        types = told[0], _type_of(answer)
        try:
            around = self._known[types]
        except KeyError:
            around = self._around(types)
        return None if around is None else (*around, _more(told) + end)

    def line(self, heard: Heard, answer: Answer, end: bytes) -> bytes:
        """Any line."""
        body, event_id, told = heard
        whole = []
        if self._input is not None:
            whole.append(self._input.whole(told[0], body))
        if self._output is not None:
            whole.append(self._output.whole(_type_of(answer).decode("latin-1"), answer.body))
        return b"".join((BEGIN, b",".join(whole), MIDDLE, event_id.encode(), _more(told), end))

    def _around(self, types: tuple[str, bytes]) -> tuple[bytes, bytes, bytes] | None:
        """What stands before, between and after two bodies of those types, where both are captured as text."""
        if len(self._known) >= FORMS_MAX:
            self._known.clear()
        around = None
        if self._input is not None and self._output is not None:
            before, middle = self._input.frame(types[0])
            second, after = self._output.frame(types[1].decode("latin-1"))
            if middle and after:
                around = BEGIN + before, middle + b"," + second, after + MIDDLE
        self._known[types] = around
        return around


def _type_of(answer: Answer) -> bytes:
    return answer.header(b"content-type") or b""


def _more(told: Told) -> bytes:
    """What follows the event's id."""
    _, inference_id, attributes = told
    more = AFTER_ID
    if attributes:
        more += b'"customAttributes":[%b],' % quoted(attributes)
    if inference_id:
        more += b'"inferenceId":%b,' % quoted(inference_id)
    return more


def end_of(inference_time: str) -> bytes:
    """How the lines of a second end."""
    return b'"inferenceTime":"%b"},"eventVersion":"0"}\n' % inference_time.encode()
