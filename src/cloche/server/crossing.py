"""Web pages of other origins: which of their requests a bucket's CORS configuration lets in.

The guard refuses what comes from a foreign page. The one exception is S3's own: a request to a bucket that has a CORS
configuration is let through, is answered as S3 answers it (with or without the headers that let the page read it),
and needs a signature or a public grant like any other. Before that the browser asks (``OPTIONS``), unsigned.

Source: docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html, …/userguide/cors-troubleshooting.html (words)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.routing import bucket_of_host, route, signed_service
from cloche.server import forms
from cloche.storage.objects import BucketNotFound, ObjectStore

_METHODS: Final = ("GET", "PUT", "POST", "DELETE", "HEAD")
_REFUSED: Final = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


class Crossing:
    """``parts`` holds the buckets, as ``objects``."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts

    def lets_in(self, request: HttpRequest) -> bool:
        """Is it for a bucket that has a CORS configuration, or a preflight, which does nothing?"""
        return self.is_preflight(request) or bool(self._rules(request))

    def headers_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        """What the answer to a page's request carries; nothing where no rule lets the page read it."""
        from cloche.services.s3.access.cors_rules import headers_of, matching

        origin = request.headers.get("origin")
        method = request.headers.get("access-control-request-method") or request.method
        rule = matching(self._rules(request), origin, method) if origin else None
        return headers_of(rule, origin) if rule is not None else []

    def is_preflight(self, request: HttpRequest) -> bool:
        return request.method == "OPTIONS" and bool(_bucket(request))

    def preflight(self, request: HttpRequest) -> HttpResponse:
        """The answer to ``OPTIONS``. Raises BadRequest (400) and AccessForbidden (403)."""
        from cloche.services.s3.access.cors_rules import headers_of, matching

        origin = request.headers.get("origin")
        method = request.headers.get("access-control-request-method")
        if not origin:
            raise AwsError("BadRequest", "Insufficient information. Origin request header needed.")
        if method not in _METHODS:
            raise AwsError("BadRequest", f"Invalid Access-Control-Request-Method: {method[:32] or 'null'}")
        rules = self._rules(request)
        if not rules:
            raise AwsError("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", 403)
        asked = [
            name.strip() for name in request.headers.get("access-control-request-headers").split(",") if name.strip()
        ]
        rule = matching(rules, origin, method, asked)
        if rule is None:
            raise AwsError("AccessForbidden", _REFUSED, 403)
        return HttpResponse(200, headers_of(rule, origin, asked))

    def _rules(self, request: HttpRequest) -> Sequence[Mapping[str, Any]]:
        if not is_for_s3(request):
            return ()
        store: ObjectStore = self._parts.objects
        try:
            return store.buckets.get(_bucket(request)).configuration.get("Cors") or ()
        except BucketNotFound:
            return ()


def is_for_s3(request: HttpRequest) -> bool:
    """Is it a request to a bucket, told by its head alone?"""
    if request.headers.get("content-type").startswith("application/x-www-form-urlencoded"):
        return False  # a query service's, for all that its address says
    if "x-amz-target" in request.headers or not _bucket(request) or signed_service(request) not in ("", "s3"):
        return False
    if forms.takes(request):
        return True
    if request.method == "OPTIONS":
        request = replace(request, method=request.headers.get("access-control-request-method") or "GET")
    try:
        return route(request).service_name == "s3"
    except AwsError:
        return False


def _bucket(request: HttpRequest) -> str:
    return bucket_of_host(request.host) or request.path[1:].partition("/")[0]
