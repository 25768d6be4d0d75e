"""The few routes that are Cloche's own and not the console's, under ``/_cloche/``.

Those for the owner of the data directory are in ``accounts`` and ``interruptions``. ``health`` says that the server
answers. ``credentials/<name>`` is the container-credentials endpoint that AWS's SDKs read inside a job
(``AWS_CONTAINER_CREDENTIALS_FULL_URI``): temporary keys of the job's role against a token that the engine which started
the job has registered.
Source: docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from cloche import __version__
from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.server.fallback import Fallback
from cloche.server.job_tokens import CREDENTIALS_PATH, JobTokens
from cloche.server.own_routes import OwnRoutes

PREFIX: Final = "/_cloche/"


class Admin:
    """``owners`` answers the routes that only the owner of the data directory may ask: what they need may have to be
    loaded first."""

    def __init__(
        self,
        tokens: JobTokens | None,
        fallback: Fallback | None = None,
        owners: Callable[[], Sequence[OwnRoutes]] = tuple,
    ) -> None:
        self._tokens = tokens
        self._owners = owners
        self._fallback = fallback

    def owns(self, path: str) -> bool:
        return is_plain(path) or self._owners_of(path) is not None

    def _owners_of(self, path: str) -> OwnRoutes | None:
        if is_plain(path) or not path.startswith(PREFIX):
            return None
        return next((routes for routes in self._owners() if routes.owns(path)), None)

    def wants_body(self, request: HttpRequest) -> bool:
        """Whether its body is to be read first. Raises ``AwsError`` where it is not even for that."""
        routes = self._owners_of(request.path)
        if routes is None:
            return False
        routes.admit(request)
        return request.method == "POST"

    def answer(self, request: HttpRequest) -> HttpResponse:
        """May block on storage. Raises ``AwsError``."""
        routes = self._owners_of(request.path)
        if routes is not None:
            return routes.answer(request)
        if request.method not in ("GET", "HEAD"):
            raise AwsError("MethodNotAllowed", "This is for GET.", 405)
        if request.path == "/_cloche/health":
            said: dict[str, object] = {"status": "ok", "version": __version__}
            if self._fallback is not None:
                said["fallback"] = {"url": self._fallback.upstream.url, "requests": self._fallback.requests}
            return _json(said)
        if self._tokens is None:
            raise AwsError("NotFound", "There are no job credentials here.", 404)
        name = request.path.removeprefix(CREDENTIALS_PATH)
        token = request.headers.get("authorization")
        credentials = self._tokens.credentials(name, token)
        if credentials is None:
            raise AwsError("AccessDenied", "This token gives no credentials.", 403)
        return _json(credentials)


def is_plain(path: str) -> bool:
    """Whether it is one of those that every client and job may ask."""
    return path == "/_cloche/health" or path.startswith(CREDENTIALS_PATH)


def _json(content: object) -> HttpResponse:
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return HttpResponse(200, headers, orjson.dumps(content))
