"""Cloche's own routes about accounts, below ``/_cloche/``: which there are, a new one, an empty one, providers' keys.

    GET  /_cloche/accounts                                        their numbers and names
    POST /_cloche/accounts       {"account": "…", "name": "…"}    a new one; its root's key is in keys/, not in here
    POST /_cloche/reset          {"account": "…"}                 empty it (home, where none is named)
    POST /_cloche/provider-keys  {"provider": ARN, "jwks": "…"}   the key set of an OpenID Connect provider

They are for whoever may read the data directory (see ``own_routes``). A reset wants no token where every key is welcome
anyway (``--any-credentials``, which listens on loopback alone).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.engines.identity import Account, Identity
from cloche.engines.identity.ledger import account_in
from cloche.engines.identity.web_identity import checked_keys
from cloche.foundation.clock import to_iso
from cloche.foundation.errors import Invalid, NotFound
from cloche.server.own_routes import answered, members_of, require_token, text_of

ACCOUNTS: Final = "/_cloche/accounts"
RESET: Final = "/_cloche/reset"
PROVIDER_KEYS: Final = "/_cloche/provider-keys"


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
        if not (request.path == RESET and self._open_reset):
            require_token(request, self._token)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """May block for as long as processes take to end. Raises ``AwsError``."""
        self.admit(request)
        return answered(lambda: self._answer(request))

    def _answer(self, request: HttpRequest) -> object:
        if request.method == "GET":
            return {"accounts": [self._view(each) for each in self._identity.accounts()]}
        given = members_of(request.body)
        if request.path == PROVIDER_KEYS:
            return self._take_keys(text_of(given, "provider"), text_of(given, "jwks"))
        number = text_of(given, "account", self._identity.account)
        if request.path == RESET:
            self._clear(number)
            return {"account": number}
        return self._view(self._identity.add_account(number, text_of(given, "name", "")))

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
