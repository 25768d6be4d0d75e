"""Who asks, and for which registry.

The password is an ECR authorization token, and says for whom and for which registry it was made. Where the address is
the name of a registry (through the CONNECT listener), that is the one meant, whatever the token says, and another
account's needs the policy of the repository. A client without a token is told how to get in, as ECR tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloche.aws.http import HttpRequest
from cloche.aws.operation import Caller, Context
from cloche.engines.image_registry import ImageRegistry, Repository, host, registry_of_host
from cloche.engines.image_registry.errors import TokenRefused
from cloche.foundation.clock import Clock
from cloche.server.registry.refusals import Refused
from cloche.services.ecr.access import repository_named

Authorize = Callable[[Context, str], None]
"""Raises where the context's caller may not do that action of ECR at all."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A caller at the door of one registry."""

    context: Context
    account: str
    """Of the registry."""
    region: str
    authorize: Authorize

    def repository(self, name: str, action: str) -> Repository:
        """Raises ``RepositoryUnknown``; ``AwsError`` and ``Denied`` for one who may not."""
        self.authorize(self.context, action)
        return repository_named(self.context, self.account, self.region, name, action)


class Callers:
    def __init__(self, registry: ImageRegistry, clock: Clock, parts: Any, authorize: Authorize) -> None:
        self._registry, self._clock, self._parts, self._authorize = registry, clock, parts, authorize

    def asking(self, request: HttpRequest, request_id: str) -> Asking:
        """Raises ``Refused``: 401 for nobody, 403 for a token that is not good any more."""
        authorization = request.headers.get("authorization")
        if not authorization:
            raise _challenge(request)
        try:
            holder = self._registry.holder(authorization)
        except TokenRefused as error:
            if "expired" in error.message:
                raise Refused("DENIED", error.message, 403) from None
            raise _challenge(request) from None
        account, region = registry_of_host(_name(request.host)) or (holder.registry, holder.region)
        caller = Caller(holder.account, holder.arn, holder.user_id, holder.access_key)
        context = Context(caller, region, request_id, self._clock.now(), request, self._parts)
        return Asking(context, account, region, self._authorize)


def _challenge(request: HttpRequest) -> Refused:
    """ECR's realm is the registry's own address; the scheme is always Basic (userguide/registry_auth.html)."""
    realm = f"{request.scheme}://{request.host}/"
    if found := registry_of_host(_name(request.host)):
        realm = f"https://{host(*found)}/"
    scheme = f'Basic realm="{realm}",service="ecr.amazonaws.com"'
    return Refused("UNAUTHORIZED", "Not Authorized", 401, headers=(("www-authenticate", scheme),))


def _name(address: str) -> str:
    return address.partition(":")[0]
