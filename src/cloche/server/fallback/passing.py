"""The stages of a request that is passed on: known caller, allowed, forwarded. What ``Chain.answer`` is to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Context, Members, Operation
from cloche.aws.routing import Routed, protocol_of, route
from cloche.aws.signing.refusals import family_of
from cloche.aws.signing.sigv4 import Verified
from cloche.server.fallback.fallback import BODY_BYTES_MAX, Beyond, Fallback, action_of
from cloche.server.receiving import with_body

if TYPE_CHECKING:
    from cloche.server.app import Chain, Exchange


async def pass_on(
    chain: Chain, fallback: Fallback, exchange: Exchange, request: HttpRequest, beyond: Beyond
) -> HttpResponse:
    """The fallback's answer to a request of a service that is not offered. A signature must hold, as everywhere: with
    keys of the user's behind it, Cloche is no open door. Raises ``AwsError``."""
    exchange.beyond = beyond
    arriving = exchange.arriving
    assert arriving is not None
    body: bytes | AsyncIterator[bytes] = aiter(arriving)
    if not fallback.streams(request):
        body = await arriving.whole(BODY_BYTES_MAX)
        request = exchange.request = with_body(request, body)
        beyond = replace(beyond, operation=beyond.operation or action_of(body))
    exchange.target = _known(request)
    if exchange.target is not None:
        beyond = replace(beyond, operation=exchange.target.operation.name)
    exchange.beyond = beyond
    if fallback.is_signed(request):
        protocol = exchange.target.protocol if exchange.target is not None else protocol_of(request)[1]
        family = family_of(beyond.service, protocol)
        _check(chain, exchange, beyond, chain.verifier.verify(request, family, chain.clock.real()))
    return await fallback.forward(request, body, beyond, exchange.request_id)


async def pass_on_routed(
    chain: Chain, fallback: Fallback, exchange: Exchange, target: Routed, verified: Verified
) -> HttpResponse:
    """The same for one of several services that sign with one name, which only its path or body told apart."""
    assert exchange.request is not None
    beyond = exchange.beyond = Beyond(target.service_name, target.operation.name)
    _check(chain, exchange, beyond, verified)
    return await fallback.forward(exchange.request, exchange.request.body, beyond, exchange.request_id)


def _known(request: HttpRequest) -> Routed | None:
    """The operation, where a model tells it."""
    try:
        return route(request)
    except AwsError:
        return None


def _check(chain: Chain, exchange: Exchange, beyond: Beyond, verified: Verified) -> None:
    """Who may not do it on AWS may not do it through Cloche either."""
    assert exchange.request is not None
    exchange.caller = verified.caller
    context = chain.context(exchange.request_id, verified.caller, verified.region, exchange.request)
    chain.authorize(context, beyond.service, Operation(beyond.operation or "*", _nothing), {})


def _nothing(context: Context, members: Members) -> Members:
    raise AssertionError("an operation of the fallback's has no handler here")
