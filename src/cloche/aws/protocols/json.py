"""awsJson 1.0 and 1.1: every operation is a POST to ``/`` named by ``X-Amz-Target``, its members a JSON object.

The plainest of the protocols, and the one SageMaker's control plane and CloudWatch Logs speak. Two subtleties:

- Clients read an error's type from different places (``__type`` in the body: boto, Java; ``X-Amzn-ErrorType``:
  Go, JavaScript), so both are written, and its message under the name the modelled error gives it.
- Services that once spoke the query protocol carry their old error code along in ``x-amzn-query-error``; clients
  that ask with ``x-amzn-query-mode`` then show the old code, on which scripts match. Others ignore the header, so
  it is always sent (smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import json_values
from cloche.aws.protocols.codec import Codec, ErrorView
from cloche.aws.protocols.eventstream import event_stream_body
from cloche.foundation.limits import LAYER_PART_BODY_BYTES_MAX

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape


class JsonCodec(Codec):
    protocol = "json"
    body_type = "application/json"

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self.reader = json_values.JsonReader()
        self.writer = json_values.JsonWriter(strict)
        self.error_writer = json_values.JsonWriter(False)
        self.content_type = f"application/x-amz-json-{service.metadata.get('jsonVersion', '1.0')}"

    def parse(self, operation: OperationModel, request: HttpRequest) -> Members:
        shape = operation.input_shape
        tree = {}
        if request.body:
            tree = json_values.load(request.body, LAYER_PART_BODY_BYTES_MAX)  # of most, less is received
        if shape is None:
            return {}
        members: Members = self.reader.of(shape)(tree)
        return members

    def serialize(
        self, operation: OperationModel, result: Members, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        headers = [("x-amzn-RequestId", request_id)]
        shape = operation.output_shape
        if shape is None:
            return HttpResponse(200, [*headers, ("Content-Type", self._type_for(request))], b"")
        if operation.has_event_stream_output:
            headers.append(("Content-Type", "application/vnd.amazon.eventstream"))
            return HttpResponse(200, headers, event_stream_body(self, operation, result))
        headers.append(("Content-Type", self._type_for(request)))
        return HttpResponse(200, headers, json_values.dump(self.writer.of(shape)(result)))

    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        query_compatible = "awsQueryCompatible" in self.service.metadata
        code = view.shape.name if query_compatible and view.shape is not None else view.code
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", self._type_for(request))]
        headers.append(("X-Amzn-ErrorType", code))
        if query_compatible:
            headers.append(("x-amzn-query-error", f"{view.code};{view.fault}"))
        body = json_values.dump(error_members(view, code, self.error_writer))
        return HttpResponse(view.status, headers, body)

    def _type_for(self, request: HttpRequest) -> str:
        asked = request.headers.get("content-type")
        return asked if asked in ("application/x-amz-json-1.0", "application/x-amz-json-1.1") else self.content_type

    def body_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        read = self.reader.of(shape)
        return lambda body: read(json_values.load(body or b"{}"))

    def body_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        write = self.writer.of(shape)
        return lambda value: json_values.dump(write(value))


def error_members(view: ErrorView, code: str, writer: json_values.JsonWriter) -> dict[str, Any]:
    """``__type``, the message and the further members of a modelled error, as JSON has them."""
    out: dict[str, Any] = {"__type": code}
    message_at = "message"
    if view.shape is not None:
        fields = writer.structure(view.shape, located=False)
        out.update(fields({k: v for k, v in view.error.fields.items() if k.lower() != "message"}))
        for name, member in view.shape.members.items():
            if name.lower() == "message":
                message_at = member.serialization.get("name", name)
    else:
        out.update({k: v for k, v in view.error.fields.items() if v is not None})
    out[message_at] = view.message
    return out
