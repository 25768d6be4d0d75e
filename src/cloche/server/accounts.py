"""Cloche's own routes about accounts, below ``/_cloche/``: which there are, a new one, an empty one, providers' keys.

    GET  /_cloche/accounts                                        their numbers and names
    POST /_cloche/accounts       {"account": "…", "name": "…"}    a new one; its root's key is in keys/, not in here
    POST /_cloche/reset          {"account": "…"}                 empty it (home, where none is named)
    POST /_cloche/provider-keys  {"provider": ARN, "jwks": "…"}   the key set of an OpenID Connect provider

They are for whoever may read the data directory: they want the token in ``keys/console.token`` as a bearer. A reset
wants none where every key is welcome anyway (``--any-credentials``, which listens on loopback alone). A web page
cannot send either (see ``guard``).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.engines.identity import Account, Identity
from cloche.engines.identity.ledger import account_in
from cloche.engines.identity.web_identity import checked_keys
from cloche.foundation.clock import to_iso
from cloche.foundation.errors import AlreadyExists, ClocheError, Conflict, Invalid, NotFound

ACCOUNTS: Final = "/_cloche/accounts"
RESET: Final = "/_cloche/reset"
PROVIDER_KEYS: Final = "/_cloche/provider-keys"
STATUSES: Final = ((NotFound, 404), (AlreadyExists, 409), (Conflict, 409), (Invalid, 400))


class AccountRoutes:
    """``clear`` empties an account. ``open_reset``: nobody is asked for a token before a reset."""

    def __init__(self, identity: Identity, clear: Callable[[str], None], token: str, *, open_reset: bool) -> None:
        self._identity = identity
        self._clear = clear
        self._token = token
        self._open_reset = open_reset

    def owns(self, path: str) -> bool:
        return path in (ACCOUNTS, RESET, PROVIDER_KEYS)

    def admit(self, request: HttpRequest) -> None:
        """Before a body is read. Raises ``AwsError`` for one who may not, or not so."""
        allowed = ("GET", "POST") if request.path == ACCOUNTS else ("POST",)
        if request.method not in allowed:
            raise AwsError("MethodNotAllowed", f"This is for {' and '.join(allowed)}.", 405)
        if request.path == RESET and self._open_reset:
            return
        given = request.headers.get("authorization").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise AwsError("AccessDenied", "This wants the token in keys/console.token as a bearer token.", 403)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """May block for as long as processes take to end. Raises ``AwsError``."""
        self.admit(request)
        try:
            return _json(self._answer(request))
        except ClocheError as error:
            status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
            raise AwsError(type(error).__name__, error.message, status) from None

    def _answer(self, request: HttpRequest) -> object:
        if request.method == "GET":
            return {"accounts": [self._view(each) for each in self._identity.accounts()]}
        given = _members(request.body)
        if request.path == PROVIDER_KEYS:
            return self._take_keys(_text(given, "provider"), _text(given, "jwks"))
        number = _text(given, "account", self._identity.account)
        if request.path == RESET:
            self._clear(number)
            return {"account": number}
        return self._view(self._identity.add_account(number, _text(given, "name", "")))

    def _view(self, account: Account) -> dict[str, object]:
        return {
            "account": account.number,
            "name": account.name,
            "created": to_iso(account.created_at),
            "home": account.number == self._identity.account,
            "keys": self._identity.root_file(account.number).name,
        }

    def _take_keys(self, provider: str, jwks: str) -> object:
        account = self._identity.of(account_in(provider))
        found = account.things.find("oidc-provider", provider.partition("/")[2])
        if found is None or found.arn != provider:
            raise NotFound(f"there is no provider {provider}")
        try:
            keys = checked_keys(jwks)
        except ValueError as error:
            raise Invalid(str(error), field="jwks") from None
        account.things.change(found, lambda details: {**details, "jwks": keys})
        return {"provider": provider, "keys": len(keys["keys"])}


def _members(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise Invalid("the body is a JSON object")
    return said


def _text(members: dict[str, Any], name: str, default: str | None = None) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        raise Invalid(f"{name} is missing, or no text", field=name)
    return value


def _json(content: object) -> HttpResponse:
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return HttpResponse(200, headers, orjson.dumps(content))
