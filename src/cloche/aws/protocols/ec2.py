"""The ec2 protocol: query's older cousin, spoken by EC2 alone.

The differences are three. Members go by ``queryName``, else by their wire name with a capital letter; lists are
always flattened (``SecurityGroupId.1``); and answers are not wrapped, but begin with the request id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import form, scalars, xml_writing
from cloche.aws.protocols.codec import ErrorView
from cloche.aws.protocols.query import QueryCodec, error_elements

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape


def _name(member: Shape, name: str) -> str:
    if named := member.serialization.get("queryName"):
        return str(named)
    wire = str(member.serialization.get("name", name))
    return wire[:1].upper() + wire[1:]


class Ec2Codec(QueryCodec):
    protocol = "ec2"

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self.reader = form.FormReader(_name, always_flat=True)
        self.writer = xml_writing.XmlWriter(strict, scalars.iso_milliseconds)

    def serialize(
        self, operation: OperationModel, result: Members, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        name, shape = operation.name, operation.output_shape
        out = [f'<{name}Response xmlns="{self.namespace}"><requestId>{request_id}</requestId>']
        if shape is not None:
            self.writer.content(shape)(out, result)
        out.append(f"</{name}Response>")
        return self._answer(200, out, request_id)

    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        out = ["<Response><Errors><Error>", *error_elements(view, self.error_writer)]
        out.append(f"</Error></Errors><RequestID>{request_id}</RequestID></Response>")
        return self._answer(view.status, out, request_id)
