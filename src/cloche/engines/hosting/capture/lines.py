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
from json import encoder
from typing import Final, NamedTuple

from cloche.engines.hosting.capture.plan import CapturePlan

OCTETS: Final = "application/octet-stream"
"""What a body without a content type is said to be, as in the answer to the caller."""
FORMS_MAX: Final = 256
"""Content types whose frames are remembered; they are the callers' to choose."""

BEGIN: Final = '{"captureData":{'
MIDDLE: Final = '},"eventMetadata":{"eventId":"'
quoted: Final[Callable[[str], str]] = encoder.encode_basestring
"""A JSON string: escaped where JSON demands it and nowhere else, as AWS's writer does."""


class Heard(NamedTuple):
    """What of a request a record tells. ``event_id`` is the id of the request."""

    body: bytes
    content_type: str
    event_id: str
    inference_id: str
    attributes: str


class Side:
    """What stands around the bodies of one side, by content type."""

    __slots__ = ("_csv", "_json", "_mode", "_name")

    def __init__(self, plan: CapturePlan, name: str, mode: str) -> None:
        self._name = name
        self._mode = mode
        self._csv = frozenset(plan.csv_types)
        self._json = frozenset(plan.json_types)

    def frame(self, content_type: str) -> tuple[str, str]:
        """What comes before the data, and after it: nothing, where that is to be BASE64."""
        media_type = content_type.partition(";")[0].strip().lower()
        encoding = "CSV" if media_type in self._csv else "JSON" if media_type in self._json else ""
        before = f'"{self._name}":{{"observedContentType":{quoted(content_type)},"mode":"{self._mode}","data":'
        return before, f',"encoding":"{encoding}"}}' if encoding else ""

    def whole(self, content_type: str, body: bytes) -> str:
        """``"endpointInput":{…}`` or its counterpart."""
        before, after = self.frame(content_type)
        if after:
            try:
                return before + quoted(body.decode()) + after
            except UnicodeDecodeError:
                pass
        return f'{before}"{b64encode(body).decode("ascii")}","encoding":"BASE64"}}'


class Lines:
    """Makes the lines of one plan. What stands around two bodies that are text is made once for their types."""

    __slots__ = ("_input", "_known", "_output")

    def __init__(self, plan: CapturePlan) -> None:
        self._input = Side(plan, "endpointInput", "INPUT") if plan.input else None
        self._output = Side(plan, "endpointOutput", "OUTPUT") if plan.output else None
        self._known: dict[tuple[str, str], tuple[str, str, str] | None] = {}

    def line(self, heard: Heard, output_type: str, output: bytes, end: str) -> str:
        """``end`` is ``end_of`` the moment. The line ends with its line break, and has no other."""
        body, input_type, event_id, inference_id, attributes = heard
        more = ""
        if inference_id or attributes:
            more = f'"customAttributes":[{quoted(attributes)}],' if attributes else ""
            more += f'"inferenceId":{quoted(inference_id)},' if inference_id else ""
        types = input_type, output_type
        try:
            around = self._known[types]
        except KeyError:
            around = self._around(types)
        if around is not None:
            before, between, after = around
            try:
                sides = f"{before}{quoted(body.decode())}{between}{quoted(output.decode())}{after}"
                return f'{sides}{event_id}",{more}{end}'
            except UnicodeDecodeError:
                pass
        whole = []
        if self._input is not None:
            whole.append(self._input.whole(input_type or OCTETS, body))
        if self._output is not None:
            whole.append(self._output.whole(output_type or OCTETS, output))
        sides = ",".join(whole)
        return f'{BEGIN}{sides}{MIDDLE}{event_id}",{more}{end}'

    def _around(self, types: tuple[str, str]) -> tuple[str, str, str] | None:
        """What stands before, between and after the two bodies, where both are captured as text."""
        if len(self._known) >= FORMS_MAX:
            self._known.clear()
        around = None
        if self._input is not None and self._output is not None:
            before, middle = self._input.frame(types[0] or OCTETS)
            second, after = self._output.frame(types[1] or OCTETS)
            if middle and after:
                around = BEGIN + before, f"{middle},{second}", after + MIDDLE
        self._known[types] = around
        return around


def end_of(inference_time: str) -> str:
    """How the lines of a second end."""
    return f'"inferenceTime":"{inference_time}"}},"eventVersion":"0"}}\n'
