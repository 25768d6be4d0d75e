"""What Cloche's own routes below ``/_cloche/`` share, but for the console's.

They are for whoever may read the data directory: they want the token in ``keys/console.token`` as a bearer. A web page
cannot send it (see ``guard``).
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, Protocol

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.foundation.errors import AlreadyExists, ClocheError, Conflict, Invalid, NotFound

STATUSES: Final = ((NotFound, 404), (AlreadyExists, 409), (Conflict, 409), (Invalid, 400))


class OwnRoutes(Protocol):
    def owns(self, path: str) -> bool: ...

    def admit(self, request: HttpRequest) -> None:
        """Before a body is read. Raises ``AwsError`` for one who may not, or not so."""
        ...

    def answer(self, request: HttpRequest) -> HttpResponse:
        """May block. Raises ``AwsError``."""
        ...


class OneRoute(ABC):
    """One path, for whoever has ``token``."""

    path: ClassVar[str]
    methods: ClassVar[tuple[str, ...]] = ("POST",)

    def __init__(self, token: str) -> None:
        self._token = token

    def owns(self, path: str) -> bool:
        return path == self.path

    def admit(self, request: HttpRequest) -> None:
        """Before a body is read. Raises ``AwsError`` for one who may not, or not so."""
        if request.method not in self.methods:
            raise AwsError("MethodNotAllowed", f"This is for {' and '.join(self.methods)}.", 405)
        require_token(request, self._token)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """May block. Raises ``AwsError``."""
        self.admit(request)
        return answered(lambda: self.work(request))

    @abstractmethod
    def work(self, request: HttpRequest) -> object:
        """What is answered, as JSON. Raises this project's own errors."""


def require_token(request: HttpRequest, token: str) -> None:
    """Raises ``AwsError``."""
    given = request.headers.get("authorization").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise AwsError("AccessDenied", "This wants the token in keys/console.token as a bearer token.", 403)


def answered(work: Callable[[], object]) -> HttpResponse:
    """What ``work`` answers, as JSON; its errors with a status. Raises ``AwsError``."""
    try:
        content = work()
    except ClocheError as error:
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
        raise AwsError(type(error).__name__, error.message, status) from None
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return HttpResponse(200, headers, orjson.dumps(content))


def members_of(body: bytes) -> dict[str, Any]:
    """Raises ``Invalid``."""
    if not body:
        return {}
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise Invalid("the body is a JSON object")
    return said


def text_of(members: dict[str, Any], name: str, default: str | None = None) -> str:
    """Raises ``Invalid``."""
    value = members.get(name, default)
    if not isinstance(value, str):
        raise Invalid(f"{name} is missing, or no text", field=name)
    return value
