"""Cloche's wire behind the four callables of the protocol probe (``../shared/conformance/protocol``).

    BOTOCORE_PROTOCOLS=folder PROTOCOL_PROBE=tests/vectors/protocol_probe.py python run.py

A request is whatever the probe hands over (``method``, ``url``, ``headers``, ``body``); for a published service
Cloche uses its own copy of the model, for a suite's invented one the model it is given.
"""

from __future__ import annotations

from typing import Any

from cloche.aws import protocols, routing
from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model import load

REQUEST_ID = "00000000-1111-2222-3333-444444444444"


def to_http(request: Any) -> HttpRequest:
    scheme, _, rest = request.url.partition("://")
    _, slash, path = rest.partition("/")
    path, _, query = (slash + path).partition("?")
    if not slash and "?" in rest:
        path, query = "/", rest.partition("?")[2]
    headers = [(k, v.encode("utf-8").decode("latin-1") if isinstance(v, str) else v) for k, v in request.headers]
    body = request.body
    lowered = {k.lower(): v for k, v in headers}
    if "aws-chunked" in lowered.get("content-encoding", ""):
        body = unchunk(body)
        left = ",".join(p for p in lowered["content-encoding"].split(",") if p.strip() != "aws-chunked")
        headers = [(k, v) for k, v in headers if k.lower() != "content-encoding"]
        if left:
            headers.append(("content-encoding", left))
    return HttpRequest(request.method, path or "/", query, Headers(headers), body, scheme=scheme)


def unchunk(body: bytes) -> bytes:
    """The probe speaks http, where boto3 sends plain bodies; only a forced https one would come here."""
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size.partition(b";")[0], 16)
        if not count:
            break
        out, body = out + body[:count], body[count + 2 :]
    return out


def own(service: Any, operation: str) -> tuple[Any, Any]:
    if service.service_name in load.service_names():
        service = load.service_model(service.service_name)
    return service, service.operation_model(operation)


def protocol_for(service: Any, request: Any) -> str:
    headers = {k.lower(): v for k, v in request.headers}
    spoken = service.metadata.get("protocols") or [service.metadata["protocol"]]
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    if "x-amz-target" in headers or "application/x-amz-json" in headers.get("content-type", ""):
        return "json" if service.metadata["protocol"] != "rest-json" else "rest-json"
    if "x-www-form-urlencoded" in headers.get("content-type", ""):
        return next((p for p in spoken if p in ("query", "ec2")), service.metadata["protocol"])
    return str(service.metadata["protocol"])


def parse_request(service: Any, operation: str, request: Any) -> Any:
    protocol = protocol_for(service, request)
    service, model = own(service, operation)
    http = to_http(request)
    if service.service_name == "s3" and (bucket := routing.bucket_of_host(http.host)):
        http = HttpRequest(http.method, f"/{bucket}{http.path}", http.query, http.headers, http.body)
    return protocols.parse_request(service, model, protocol, http)


def serialize_response(service: Any, operation: str, result: Any, request: Any) -> Any:
    protocol = protocol_for(service, request)
    service, model = own(service, operation)
    made = protocols.serialize_response(service, model, protocol, result, to_http(request), REQUEST_ID)
    return made.status, made.headers, made.body


def serialize_error(service: Any, operation: str, code: str, message: str, fields: Any, request: Any) -> Any:
    protocol = protocol_for(service, request)
    service, model = own(service, operation)
    error = AwsError(code, message, fields=fields)
    made = protocols.serialize_error(service, model, protocol, error, to_http(request), REQUEST_ID)
    return made.status, made.headers, made.body


def route(request: Any) -> tuple[str, str]:
    found = routing.route(to_http(request))
    return found.service_name, found.operation.name
