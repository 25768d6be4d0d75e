"""Requests as the tests write them."""

from __future__ import annotations

from typing import Any

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model import load

SCOPE = "AWS4-HMAC-SHA256 Credential=AKID/20261125/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00"


def request(
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    *,
    scope: str = "",
    host: str = "127.0.0.1:4566",
    **headers: str,
) -> HttpRequest:
    path, _, query = target.partition("?")
    lines = [("host", host), *((name.replace("_", "-"), value) for name, value in headers.items())]
    if scope:
        lines.append(("authorization", SCOPE.format(scope)))
    return HttpRequest(method, path, query, Headers(lines), body)


def operation(service: str, name: str) -> tuple[Any, Any]:
    model = load.service_model(service)
    return model, model.operation_model(name)


def invented(shapes: dict[str, Any], protocol: str = "json", **metadata: Any) -> tuple[Any, Any]:
    """A service of one operation, ``Do``, whose input and output are the shapes ``In`` and ``Out``."""
    from botocore.model import ServiceModel

    description = {
        "version": "2.0",
        "metadata": {"protocol": protocol, "serviceId": "Invented", "endpointPrefix": "invented", **metadata},
        "operations": {
            "Do": {
                "name": "Do",
                "http": {"method": "POST", "requestUri": metadata.get("uri", "/")},
                "input": {"shape": "In"},
                "output": {"shape": "Out"},
            }
        },
        "shapes": {"In": {"type": "structure", "members": {}}, "Out": {"type": "structure", "members": {}}, **shapes},
    }
    model = ServiceModel(description, "invented")
    return model, model.operation_model("Do")
