"""Speaking AWS's protocols: requests to members, members to answers, errors to each protocol's form.

The three functions below are all that the server's chain needs. Which codec serves is looked up per service,
protocol and strictness, and kept on the service model itself, so it lives exactly as long as the shapes its
closures were compiled from.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import compression
from cloche.aws.protocols.codec import Codec, ErrorView, StrictError, find_error_shape

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

__all__ = ["PROTOCOLS", "StrictError", "modelled_status", "parse_request", "serialize_error", "serialize_response"]

_CODECS: Final = {
    "json": ("json", "JsonCodec"),
    "rest-json": ("rest_json", "RestJsonCodec"),
    "rest-xml": ("rest_xml", "RestXmlCodec"),
    "query": ("query", "QueryCodec"),
    "ec2": ("ec2", "Ec2Codec"),
    "smithy-rpc-v2-cbor": ("rpc_v2_cbor", "RpcV2CborCodec"),
}
PROTOCOLS: Final = tuple(_CODECS)
"""The names botocore gives the protocols."""


def parse_request(service: ServiceModel, operation: OperationModel, protocol: str, request: HttpRequest) -> Members:
    """The members of ``operation``'s input. Raises ``AwsError`` (400 or 413) for what cannot be read.

    Types are checked, constraints (lengths, patterns, required members) are not: ``aws.validation`` does that.
    """
    compressible = "content-encoding" in request.headers and operation.request_compression
    if compressible and compression.is_compressed(request):
        request = replace(request, body=compression.unpacked(request.body))
    return codec(service, protocol, False).parse(operation, request)


def serialize_response(
    service: ServiceModel,
    operation: OperationModel,
    protocol: str,
    result: Members | None,
    request: HttpRequest,
    request_id: str,
    *,
    strict: bool = False,
) -> HttpResponse:
    """The answer that carries ``result``. Undeclared members are left out; in strict mode they, and missing
    required ones, raise ``StrictError``. Answers to HEAD, and of status 204 and 304, have no body."""
    made = codec(service, protocol, strict).serialize(operation, result or {}, request, request_id)
    if made.status in (204, 304) or request.method == "HEAD":
        made.body = b""
        if made.status == 204:
            made.headers = [header for header in made.headers if header[0].lower() != "content-type"]
    return made


def serialize_error(
    service: ServiceModel,
    operation: OperationModel | None,
    protocol: str,
    error: AwsError,
    request: HttpRequest,
    request_id: str,
) -> HttpResponse:
    """``error`` as the protocol writes it. A modelled error takes its status from the model, unless ``error``
    itself says other than 400."""
    view = ErrorView(service, operation, error)
    made = codec(service, protocol, False).error(view, request, request_id)
    made.headers += error.headers
    if request.method == "HEAD" or made.status in (204, 304):
        made.body = b""
    return made


def codec(service: ServiceModel, protocol: str, strict: bool) -> Codec:
    """Raises ``LookupError`` for a protocol that botocore does not name."""
    known: dict[tuple[str, bool], Codec] = vars(service).setdefault("_cloche_codecs", {})
    found = known.get((protocol, strict))
    if found is None:
        module, name = _CODECS[protocol]
        made: Codec = getattr(import_module(f"cloche.aws.protocols.{module}"), name)(service, strict)
        found = known.setdefault((protocol, strict), made)
    return found


def modelled_status(service: ServiceModel, code: str) -> int:
    """The HTTP status the model gives the error called ``code``; 400 where it says nothing."""
    return ErrorView(service, None, AwsError(code, "")).status if find_error_shape(service, None, code) else 400
