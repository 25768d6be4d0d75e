"""Whole requests: routing by path, host, target and scope, then the parse of whatever was found."""

from __future__ import annotations

from wire_request import read, refused_in_words, request_of

from cloche.aws import protocols, routing
from cloche.aws.errors import AwsError
from cloche.aws.model import load


def one(data: bytes) -> None:
    request = request_of(data)
    found = refused_in_words(lambda: routing.route(request))
    if found is not None:
        read(found.service_name, found.operation.name, found.protocol, found.request)
    service, protocol = routing.protocol_of(request)
    error = AwsError("UnknownOperationException", "")
    made = protocols.serialize_error(load.service_model(service), None, protocol, error, request, "id")
    assert 400 <= made.status < 500
