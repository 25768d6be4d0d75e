"""rest-json: paths and verbs outside, JSON inside.

SageMaker's data planes (runtime, feature store, metrics, edge, A2I) and most newer services speak it. An answer
whose output shape has no member in the body is an empty object, as AWS writes it; one without an output shape is
empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import json_values
from cloche.aws.protocols.codec import ErrorView
from cloche.aws.protocols.http_bindings import ResponseBindings, header_value
from cloche.aws.protocols.json import error_members
from cloche.aws.protocols.rest import RestCodec
from cloche.foundation.limits import PACKAGE_BODY_BYTES_MAX

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape


class RestJsonCodec(RestCodec):
    protocol = "rest-json"
    all_in_query_map = True
    body_type = "application/json"

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self.reader = json_values.JsonReader()
        self.writer = json_values.JsonWriter(strict)
        self.error_writer = json_values.JsonWriter(False)

    def id_headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id)]

    def read_members(self, shape: Shape) -> Callable[[bytes], Members]:
        read = self.reader.structure(shape, located=False)
        return lambda body: read(json_values.load(body, PACKAGE_BODY_BYTES_MAX))  # of most, less is received

    def write_members(self, operation: OperationModel, shape: Shape) -> Callable[[Members], bytes]:
        write = self.writer.structure(shape, located=False)
        return lambda result: json_values.dump(write(result))

    def body_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        read = self.reader.of(shape)
        return lambda body: read(json_values.load(body or b"{}"))

    def body_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        write = self.writer.of(shape)
        return lambda value: json_values.dump(write(value))

    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        headers = self.id_headers(request_id)
        headers += [("Content-Type", "application/json"), ("X-Amzn-ErrorType", header_value(view.code))]
        if view.shape is not None:
            headers += ResponseBindings(view.shape).write(view.error.fields)[1]
        body = json_values.dump(error_members(view, view.code, self.error_writer))
        return HttpResponse(view.status, headers, body)
