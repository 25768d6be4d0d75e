"""The way of a request, in order, on one screen: ``Chain.answer``.

Bare ASGI, no middleware: each stage takes one value and returns the next. A stage that refuses raises; ``refusal``
puts that into the form of the protocol that was asked, as far as it is known by then.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from cloche.aws.errors import AwsError, ErrorCodes, translate
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.model.load import service_model
from cloche.aws.operation import Answer, Caller, Context, Members, Operation
from cloche.aws.protocols import parse_request, serialize_error, serialize_response
from cloche.aws.routing import Routed, protocol_of, route
from cloche.aws.signing import sigv2
from cloche.aws.signing.chunked import checked
from cloche.aws.signing.refusals import family_of
from cloche.aws.signing.sigv4 import ANONYMOUS, Verified, Verifier
from cloche.aws.validation import validate
from cloche.foundation.bus import Bus, RequestServed
from cloche.foundation.clock import Clock
from cloche.foundation.ids import request_id as new_request_id
from cloche.foundation.settings import Settings
from cloche.server import forms
from cloche.server.admin import PREFIX, Admin, is_plain
from cloche.server.crossing import Crossing, is_for_s3
from cloche.server.dispatch import Dispatch, Offered, not_offered
from cloche.server.fallback.fallback import Beyond, Fallback
from cloche.server.fallback.passing import pass_on, pass_on_routed
from cloche.server.guard import Guard
from cloche.server.receiving import Arriving, Disconnected, head_of, streaming, unless_gone, with_body
from cloche.server.registry.door import is_for_registry
from cloche.server.running import Runner
from cloche.server.sending import ZERO_COPY, send_response

if TYPE_CHECKING:
    from cloche.server.registry.registry import Registry

log = logging.getLogger(__name__)
UNSIGNED_BODY_BYTES_MAX: Final = 64 * 1024
UNSIGNED_S3_BYTES_MAX: Final = 2 * 1024 * 1024
LINKED: Final = frozenset({("sns", "ConfirmSubscription"), ("sns", "Unsubscribe")})
"""What links in notifications ask for, without a signature; each carries a proof of its own, or may be undone
(docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html, API_Unsubscribe.html)."""
"""S3 itself takes documents of that size at most (API_DeleteObjects.html), and from nobody known."""
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Authorizer(Protocol):
    """Both raise ``AwsError`` or ``Denied`` where the caller may not do this to that service."""

    def __call__(self, context: Context, service: str, operation: Operation, members: Members) -> None: ...

    def may(self, caller: Caller, region: str, service: str, operation: str) -> None: ...


@dataclass(slots=True)
class Exchange:
    """What is known of a request so far, for its refusal and its record."""

    request_id: str
    request: HttpRequest | None = None
    admitted: bool = False
    """The guard has let it pass."""
    target: Routed | None = None
    caller: Caller | None = None
    arriving: Arriving | None = None
    code: str = ""
    crossing: list[tuple[str, str]] = field(default_factory=list)
    """What lets a foreign page read the answer: headers of a bucket's CORS configuration."""
    beyond: Beyond | None = None
    """What it asks of the fallback, which answers it."""


EARLY: Final = frozenset({"sts"})
"""Services that do without the engines. (What others write may have to be told to one, in the same transaction.)"""


class Chain:
    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        parts: Any,
        verifier: Verifier,
        guard: Guard,
        dispatch: Dispatch,
        authorize: Authorizer,
        runner: Runner,
        admin: Admin,
    ) -> None:
        self.settings, self.clock, self.bus, self.parts = settings, clock, bus, parts
        self.verifier, self.guard, self.dispatch, self.authorize = verifier, guard, dispatch, authorize
        self.runner, self.admin = runner, admin
        self.crossing = Crossing(parts)
        guard.lets_in = self.crossing.lets_in
        self.console: AsgiApp | None = None
        """Answers on this machine's own names at ``/`` and below ``/_cloche/``; set before serving."""
        self.fallback: Fallback | None = None
        """Answers for services that Cloche does not speak; set before serving."""
        self.registry: Registry | None = None
        self.load: Callable[[], None] | None = None
        """Makes the engines, while they are not there yet."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        started = perf_counter()
        exchange = Exchange(new_request_id())
        try:
            response = await self.answer(exchange, scope, receive)
        except Disconnected:
            return
        except Exception as error:
            response = self.refusal(exchange, error)
        if response is None:
            assert self.console is not None
            await self.console(scope, receive, send)
            return
        response.headers.extend(exchange.crossing)
        unread = exchange.arriving is not None and not exchange.arriving.ended
        straight = ZERO_COPY in scope.get("extensions", ())
        pool = self.runner.pool
        await send_response(response, scope["method"], send, pool, close=unread, receive=receive, straight=straight)
        self._record(exchange, response.status, perf_counter() - started)

    async def answer(self, exchange: Exchange, scope: Any, receive: Any) -> HttpResponse | None:
        """The whole chain. ``None`` where the console is to answer."""
        request = exchange.request = head_of(scope)
        arriving = exchange.arriving = Arriving(request, receive)
        self.guard.check(request)
        if "origin" in request.headers:
            exchange.crossing = self.crossing.headers_for(request)
        if self._is_own_page(request):
            return await self._own_page(exchange, request)
        exchange.admitted = True
        if self.crossing.is_preflight(request):
            exchange.crossing = []  # a preflight says for itself what lets a page in
            return self.crossing.preflight(request)
        if is_for_registry(request):
            return await (await self._images()).answer(request, exchange.request_id, arriving)
        if forms.takes(request):
            return await forms.answer_form(self, exchange, request)
        if sigv2.is_link(request.query):
            request = exchange.request = sigv2.with_headers_of_link(request)
        fallback = self.fallback
        if fallback is not None and (beyond := fallback.takes(request)) is not None:
            return await pass_on(self, fallback, exchange, request, beyond)
        streams = request.method == "PUT" and route(request).operation.has_streaming_input
        if not streams and (is_signed(request) or may_be_unsigned(request)):
            request = exchange.request = with_body(
                request, await arriving.whole(0 if is_signed(request) else UNSIGNED_S3_BYTES_MAX)
            )
        target = exchange.target = route(request)
        family = family_of(target.service_name, target.protocol)
        unsigned_too = (target.service_name, target.operation.name) in LINKED
        if (target.operation.auth_type == "none" or unsigned_too) and not is_signed(request):
            verified = Verified(ANONYMOUS, "")
        else:
            verified = self.verifier.verify(request, family, self.clock.real(), streams=streams)
        exchange.caller = verified.caller
        if fallback is not None and not self.dispatch.has(target.service_name):
            return await pass_on_routed(self, fallback, exchange, target, verified)
        request = target.request
        if streams:
            request = streaming(request, checked(aiter(arriving), request.headers, verified))
        operation = await self.operation(target)
        members = parse_request(target.service, target.operation, target.protocol, request)
        validate(target.service, target.operation, members)
        context = self.context(exchange.request_id, verified.caller, verified.region, request)
        work = self.act(context, target.service_name, operation, members)
        answer = await (unless_gone(work, arriving) if operation.waits else work)
        return with_answer(
            serialize_response(
                target.service, target.operation, target.protocol, answer.members, request, exchange.request_id
            ),
            answer,
        )

    async def act(self, context: Context, service: str, operation: Operation, members: Members) -> Answer:
        """Authorize and run: where requests from the wire and those of ``perform`` meet."""
        if service not in EARLY:
            await self._loaded()
        self.authorize(context, service, operation, members)
        return await self.runner.run(operation, context, members)

    def context(
        self,
        request_id: str,
        caller: Caller,
        region: str,
        request: HttpRequest,
        origin: Mapping[str, Any] | None = None,
    ) -> Context:
        region = region or self.settings.region
        return Context(caller, region, request_id, self.clock.now(), request, self.parts, origin or {})

    @property
    def is_loaded(self) -> bool:
        """Whether the engines are there."""
        return self.load is None

    async def _loaded(self) -> None:
        """Wait for the engines in the first moments of a server, without keeping others waiting."""
        if self.load is not None:
            await self.runner.in_thread(self.load)
            self.load = None

    async def _images(self) -> Registry:
        """What answers the registry protocol, loaded when it is first spoken."""
        if self.registry is None:
            await self._loaded()  # before the import, for the same reason as in ``offered``
            from cloche.server.registry.registry import Registry

            self.registry = Registry(self)
        return self.registry

    # -- stages --------------------------------------------------------------------------------------------

    async def operation(self, target: Routed) -> Operation:
        offered = await self.offered(target.service_name)
        if offered is None:
            raise not_offered(target.service_name, target.operation.name, ErrorCodes())
        return offered.operation(target.operation.name)

    async def offered(self, service: str) -> Offered | None:
        """The service, imported now if need be, but not while another thread imports the engines: they lead to the same
        packages, and one of the two might be given half a module."""
        offered = self.dispatch.ready(service)
        if offered is None:
            if service not in EARLY:
                await self._loaded()
            offered = await self.runner.in_thread(self.dispatch.offered, service)
        return offered

    def _is_own_page(self, request: HttpRequest) -> bool:
        """Pages and Cloche's own routes: on this machine's own names only, never on AWS's or a bucket's."""
        if request.path != "/" and not request.path.startswith(PREFIX):
            return False
        if request.path == "/" and (request.method not in ("GET", "HEAD") or is_signed(request) or _is_link(request)):
            return False
        return self.guard.is_own(request.host)

    async def _own_page(self, exchange: Exchange, request: HttpRequest) -> HttpResponse | None:
        if not is_plain(request.path):
            await self._loaded()
        if self.admin.owns(request.path):
            if self.admin.wants_body(request):
                assert exchange.arriving is not None
                request = with_body(request, await exchange.arriving.whole())
            return await self.runner.in_thread(self.admin.answer, request)
        if self.console is None:
            raise AwsError("NotFound", "This Cloche was started without its console.", 404)
        return None

    # -- refusals ------------------------------------------------------------------------------------------

    def refusal(self, exchange: Exchange, error: Exception) -> HttpResponse:
        """``error`` as the caller is to see it. What nobody foresaw goes to the log with the request's id."""
        target = exchange.target
        offered = self.dispatch.ready(target.service_name) if target is not None else None
        refused = translate(error, offered.service.errors if offered is not None else ErrorCodes())
        exchange.code = refused.code
        if refused.status >= 500 and not isinstance(error, AwsError):
            log.error("request %s failed", exchange.request_id, exc_info=error)
        elif detail := getattr(error, "detail", ""):
            log.info("request %s refused: %s", exchange.request_id, detail)
        request, request_id = exchange.request, exchange.request_id
        if target is not None and request is not None:
            return serialize_error(target.service, target.operation, target.protocol, refused, request, request_id)
        if request is None or not exchange.admitted:
            return _plain_refusal(refused, request_id)
        name, protocol = protocol_of(request)
        return serialize_error(service_model(name), None, protocol, refused, request, request_id)

    def _record(self, exchange: Exchange, status: int, seconds: float) -> None:
        target, caller, beyond = exchange.target, exchange.caller, exchange.beyond
        if beyond is not None:
            service, operation = beyond.service, beyond.operation
        elif target is not None:
            service, operation = target.service_name, target.operation.name
        else:
            return
        self.bus.tell(
            RequestServed(
                self.clock.time(),
                exchange.request_id,
                service,
                operation,
                caller.arn if caller is not None else "",
                status,
                exchange.code,
                seconds,
                self.fallback.upstream.url if beyond is not None and self.fallback is not None else "",
            )
        )


def with_answer(response: HttpResponse, answer: Answer) -> HttpResponse:
    if answer.status is not None:
        response.status = answer.status
    response.headers.extend(answer.headers)
    return response


def is_signed(request: HttpRequest) -> bool:
    """Does it claim a signature? The body of one that does not is never read."""
    return "authorization" in request.headers or "X-Amz-" in request.query or "Signature=" in request.query


def _is_link(request: HttpRequest) -> bool:
    """Is it a link that a notification holds?"""
    return request.query.startswith("Action=")


def may_be_unsigned(request: HttpRequest) -> bool:
    """A short form that nobody signed: it may ask for an operation that never is (AssumeRoleWithWebIdentity)."""
    if request.method in ("PUT", "POST") and is_for_s3(request):
        return True
    if request.method != "POST" or request.path != "/":
        return False
    length = request.headers.get("content-length")
    is_short = length.isascii() and length.isdigit() and len(length) < 6 and int(length) <= UNSIGNED_BODY_BYTES_MAX
    return is_short and request.headers.get("content-type").startswith("application/x-www-form-urlencoded")


def _plain_refusal(error: AwsError, request_id: str) -> HttpResponse:
    """Where no service is known yet, there is no protocol to speak: JSON, as AWS's front doors do."""
    body = orjson.dumps({"__type": error.code, "message": error.message})
    headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amzn-requestid", request_id),
        ("x-amzn-errortype", error.code),
    ]
    return HttpResponse(error.status, [*headers, *error.headers], body)
