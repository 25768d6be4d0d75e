"""What the harnesses share: raw bytes as a request, and the only outcome of a hostile one that is allowed.

A harness is a module with ``one(data)``. It returns for what was read and for what was refused in AWS's words
(an ``AwsError`` between 400 and 499); everything else is a finding. The corpus is replayed without any fuzzer, so
inputs are cut by hand: a first line, headers, an empty line, a body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloche.aws import protocols, validation
from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model import load


def request_of(data: bytes) -> HttpRequest:
    """``METHOD target`` and headers in lines, then the body; what is missing is empty."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    path, _, query = target.partition("?")
    headers = []
    for line in lines[:60]:
        name, colon, value = line.partition(":")
        if colon and name:
            headers.append((name.strip(), value.strip()))
    return HttpRequest(method or "GET", path if path.startswith("/") else "/" + path, query, Headers(headers), body)


def refused_in_words(work: Callable[[], Any]) -> Any:
    """What ``work`` gives, or ``None`` when it refused as AWS refuses."""
    try:
        return work()
    except AwsError as error:
        assert 400 <= error.status < 500, f"{error.status} {error.code}"
        assert error.code, "a refusal without a code"
        return None


def read(service: str, operation: str, protocol: str, request: HttpRequest) -> None:
    """Parse, validate, and write what was read back into an answer or an error."""
    model = load.service_model(service)
    found = model.operation_model(operation)

    def work() -> Any:
        members = protocols.parse_request(model, found, protocol, request)
        assert isinstance(members, dict)
        validation.validate(model, found, members)
        return members

    refused_in_words(work)


def post(body: bytes, **headers: str) -> HttpRequest:
    lines = [("host", "127.0.0.1:4566"), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return HttpRequest("POST", "/", "", Headers(lines), body)
