"""Which requests speak the registry protocol. Apart from the rest, which is loaded when the first of them comes.

``/v2/`` is also where some of AWS's own services have paths (API Gateway, SES); those requests are signed, and these
are not: they have a token, or nothing yet. No bucket has so short a name.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.http import HttpRequest

PREFIX: Final = "/v2/"


def is_for_registry(request: HttpRequest) -> bool:
    """By its head alone."""
    if request.path != "/v2" and not request.path.startswith(PREFIX):
        return False
    headers = request.headers
    if "x-amz-target" in headers or "X-Amz-" in request.query or "Signature=" in request.query:
        return False
    return not headers.get("authorization").startswith("AWS")
