"""rest-xml: paths and verbs outside, XML inside. S3 speaks it, with habits of its own.

Those habits, all seen in S3's API reference (docs.aws.amazon.com/AmazonS3/latest/API):

- request ids travel as ``x-amz-request-id`` and ``x-amz-id-2``;
- an error is one bare ``<Error>`` with ``RequestId`` and ``HostId`` inside and no namespace (ErrorResponses.html);
- times always carry milliseconds;
- ``GetBucketLocation`` answers the bare element ``<LocationConstraint>us-west-2</LocationConstraint>``, empty for
  us-east-1, where the published model shows a structure (API_GetBucketLocation.html);
- XML it cannot read is ``MalformedXML``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import scalars, xml_reading, xml_writing
from cloche.aws.protocols.codec import OUTSIDE, ErrorView, serialization_error
from cloche.aws.protocols.http_bindings import ResponseBindings
from cloche.aws.protocols.query import error_elements
from cloche.aws.protocols.rest import RestCodec

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape

_MALFORMED = "The XML you provided was not well-formed or did not validate against our published schema"


class RestXmlCodec(RestCodec):
    protocol = "rest-xml"
    all_in_query_map = False
    body_type = "application/xml"

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self.is_s3 = service.service_name == "s3"
        self.reader = xml_reading.XmlReader()
        self.writer = xml_writing.XmlWriter(strict, scalars.iso_milliseconds if self.is_s3 else scalars.iso)
        self.error_writer = xml_writing.XmlWriter(False, scalars.iso)
        namespace = str(service.metadata.get("xmlNamespace", ""))
        self.namespace = f' xmlns="{xml_writing.escape(namespace)}"' if namespace else ""

    def parse(self, operation: OperationModel, request: HttpRequest) -> Members:
        try:
            return super().parse(operation, request)
        except AwsError as error:
            if self.is_s3 and error.code == "SerializationException":
                # A parameter it cannot read is InvalidArgument (API/ErrorResponses.html, 400 "Invalid Argument").
                raise AwsError("InvalidArgument", "Invalid Argument", 400) from None
            raise

    def id_headers(self, request_id: str) -> list[tuple[str, str]]:
        if not self.service.service_name.startswith("s3"):
            return [("x-amzn-RequestId", request_id)]
        return [("x-amz-request-id", request_id), ("x-amz-id-2", host_id(request_id))]

    def read_members(self, shape: Shape) -> Callable[[bytes], Members]:
        return self.body_reader(shape)

    def body_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        read = self.reader.of(shape)

        def load(body: bytes) -> Any:
            try:
                return read(xml_reading.load(body))
            except ValueError as error:
                self._refuse(error)

        return load

    def _refuse(self, error: ValueError) -> NoReturn:
        if self.service.service_name.startswith("s3"):
            raise AwsError("MalformedXML", _MALFORMED, 400) from None
        raise serialization_error(str(error)) from None

    def write_members(self, operation: OperationModel, shape: Shape) -> Callable[[Members], bytes]:
        if self.is_s3 and operation.name == "GetBucketLocation":
            return self._write_location
        if all(member.serialization.get("location") in OUTSIDE for member in shape.members.values()):
            return lambda result: b""
        return self._document(shape)

    def _write_location(self, result: Members) -> bytes:
        region = xml_writing.escape(result.get("LocationConstraint") or "")
        return xml_writing.document([f"<LocationConstraint{self.namespace}>{region}</LocationConstraint>"])

    def body_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        return self._document(shape)

    def _document(self, shape: Shape) -> Callable[[Any], bytes]:
        tag = shape.serialization.get("name", shape.name)
        write = self.writer.element(shape, self.namespace)

        def document(value: Any) -> bytes:
            out: list[str] = []
            write(out, tag, value)
            return xml_writing.document(out)

        return document

    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        headers = [*self.id_headers(request_id), ("Content-Type", self.body_type)]
        if view.shape is not None:
            headers += ResponseBindings(view.shape).write(view.error.fields)[1]
        elements = "".join(error_elements(view, self.error_writer))
        if self.is_s3:
            ids = f"<RequestId>{request_id}</RequestId><HostId>{host_id(request_id)}</HostId>"
            out = [f"<Error>{elements}{ids}</Error>"]
        else:
            out = [
                f"<ErrorResponse{self.namespace}><Error><Type>{view.fault}</Type>{elements}</Error>",
                f"<RequestId>{request_id}</RequestId></ErrorResponse>",
            ]
        return HttpResponse(view.status, headers, xml_writing.document(out))


def host_id(request_id: str) -> str:
    """S3's second id, opaque to clients: which machine answered. Here it follows from the request id."""
    return base64.b64encode(hashlib.blake2b(request_id.encode(), digest_size=48).digest()).decode("ascii")
