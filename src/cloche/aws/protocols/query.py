"""The query protocol: a form goes in (``Action``, ``Version``, members with dots), XML comes out.

IAM, STS and older CloudWatch clients speak it. The form loses the difference between an empty and an absent
list, which is the protocol's own weakness: ``Tags=`` alone is taken for an empty list. Answers wrap their members
twice (``<GetRoleResponse><GetRoleResult>``), with the request id at the end, where clients also look for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import form, xml_reading, xml_writing
from cloche.aws.protocols.codec import Codec, ErrorView

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape


def _name(member: Shape, name: str) -> str:
    """The field of a member: a flattened list goes by the name of its items."""
    return xml_reading.wire_name(member, name)


class QueryCodec(Codec):
    protocol = "query"
    body_type = "text/xml"

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self.reader = form.FormReader(_name, always_flat=False)
        self.writer = xml_writing.XmlWriter(strict)
        self.error_writer = xml_writing.XmlWriter(False)
        self.namespace = xml_writing.escape(str(service.metadata.get("xmlNamespace", "")))

    def parse(self, operation: OperationModel, request: HttpRequest) -> Members:
        shape = operation.input_shape
        if shape is None:
            return {}
        members: Members = self.reader.of(shape)(form.tree(request))
        return members

    def serialize(
        self, operation: OperationModel, result: Members, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        name, shape = operation.name, operation.output_shape
        out = [f'<{name}Response xmlns="{self.namespace}">']
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
            self.writer.of(shape)(out, wrapper, result)
        out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>")
        return self._answer(200, out, request_id)

    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        out = [f'<ErrorResponse xmlns="{self.namespace}"><Error><Type>{view.fault}</Type>']
        out += error_elements(view, self.error_writer)
        out.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
        return self._answer(view.status, out, request_id)

    def _answer(self, status: int, out: list[str], request_id: str) -> HttpResponse:
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", "text/xml")]
        return HttpResponse(status, headers, xml_writing.document(out))

    def body_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        raise AssertionError("the query protocol has no event streams")

    def body_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        raise AssertionError("the query protocol has no event streams")


def error_elements(view: ErrorView, writer: xml_writing.XmlWriter) -> list[str]:
    """``Code``, ``Message`` and the further members of an error, as every XML protocol has them."""
    escape = xml_writing.escape
    out = [f"<Code>{escape(view.code)}</Code><Message>{escape(view.message)}</Message>"]
    fields = {k: v for k, v in view.error.fields.items() if k.lower() not in ("message", "code") and v is not None}
    if view.shape is not None:
        writer.content(view.shape)(out, {k: v for k, v in fields.items() if k in view.shape.members})
        fields = {k: v for k, v in fields.items() if k not in view.shape.members}
    out += [f"<{k}>{escape(str(v))}</{k}>" for k, v in fields.items()]
    return out
