"""The short way of reads: JSON operations whose handlers are ``inline`` (``DescribeTrainingJob``, plain lists).

An SDK that waits for a job asks for its description again and again, and so do consoles and pipelines; the answer is
mostly one that has been given before.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Caller, Members, Operation
from cloche.aws.protocols import parse_request, serialize_response
from cloche.aws.routing import Routed, route
from cloche.aws.signing.alike import DATE, Alike
from cloche.aws.signing.refusals import family_of
from cloche.aws.signing.sigv4 import Verified
from cloche.aws.validation import validate
from cloche.server.app import Chain
from cloche.server.quick.alike import Alikeness, alike_cycle
from cloche.server.quick.cycle import QuickCycle, block_of, headers_of, is_plain, is_short
from cloche.server.quick.forms import VARYING_NAMES, Form, Forms, Sight, sight_of
from cloche.server.quick.heads import Lines

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol


class ReadForm(Form):
    """What alike requests are concluded to be: see ``forms``. ``headers`` are those of the first."""

    __slots__ = ("caller", "headers", "operation", "region", "routed")

    def __init__(
        self, headers: Headers, verified: Verified, alike: Alike, routed: Routed, operation: Operation
    ) -> None:
        super().__init__(alike)
        self.headers = headers
        self.caller = verified.caller
        self.region = verified.region
        self.routed = routed
        self.operation = operation


class QuickRead:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.forms = Forms[ReadForm]()

    def takes(self, protocol: HttpProtocol, target: bytes) -> QuickCycle | None:
        lines = protocol.headers
        sight = sight_of(target, lines)
        form = None if sight is None else self.forms.find(sight)
        if form is not None and sight is not None and is_short(sight.values.get("content-length", "")):
            return alike_cycle(partial(AlikeReadCycle, self, form), form, protocol, sight)
        headers = headers_of(lines)
        if "x-amz-target" not in headers or not is_plain(headers):
            return None
        try:
            routed = route(HttpRequest("POST", "/", "", headers))
        except AwsError:
            return None
        offered = self.chain.dispatch.ready(routed.service_name)
        operation = None if offered is None else offered.operations.get(routed.operation.name)
        if operation is None or not operation.inline:
            return None
        return ReadCycle(self, protocol, routed, operation, headers, sight)


class ReadCycle(QuickCycle):
    __slots__ = ("_operation", "_quick", "_routed", "_sight")

    def __init__(
        self,
        quick: QuickRead,
        protocol: HttpProtocol,
        routed: Routed,
        operation: Operation,
        headers: Headers,
        sight: Sight | None,
    ) -> None:
        super().__init__(quick.chain, protocol, "/", headers)
        self._quick = quick
        self._routed = routed
        self._operation = operation
        self._sight = sight

    def begin(self, request: HttpRequest) -> None:
        chain, target = self.chain, self._routed
        self.exchange.target = target
        verified = chain.verifier.verify(request, family_of(target.service_name, target.protocol), chain.clock.real())
        if self._sight is not None and DATE in self.headers:
            alike = Alike(chain.verifier, request, VARYING_NAMES)
            self._quick.forms.keep(self._sight, ReadForm(self.headers, verified, alike, target, self._operation))
        self.act(verified.caller, verified.region, request)

    def act(self, caller: Caller, region: str, request: HttpRequest) -> None:
        """Everything behind the signature."""
        chain, exchange, target = self.chain, self.exchange, self._routed
        exchange.caller = caller
        members = parse_request(target.service, target.operation, target.protocol, request)
        validate(target.service, target.operation, members)
        context = chain.context(exchange.request_id, caller, region, request)
        chain.authorize(context, target.service_name, self._operation, members)
        if self._operation.is_inline(members):
            self._answer(self._operation.handler(context, members))
            return
        work = asyncio.ensure_future(chain.runner.in_thread(self._operation.handler, context, members))
        work.add_done_callback(self._worked)

    def _worked(self, work: asyncio.Future[Members]) -> None:
        try:
            self._answer(work.result())
        except Exception as error:
            self.refuse(error)

    def _answer(self, answer: Members) -> None:
        target, exchange = self._routed, self.exchange
        assert exchange.request is not None
        response = serialize_response(
            target.service, target.operation, target.protocol, answer, exchange.request, exchange.request_id
        )
        assert isinstance(response.body, bytes)
        self.send(response.status, block_of(response.headers), response.body)


class AlikeReadCycle(Alikeness, ReadCycle):
    __slots__ = ("_form", "_lines")
    _form: ReadForm

    def __init__(
        self, quick: QuickRead, form: ReadForm, protocol: HttpProtocol, sight: Sight, lines: Lines | None
    ) -> None:
        super().__init__(quick, protocol, form.routed, form.operation, form.headers, sight)
        self._form = form
        self._lines = lines

    def begin_alike(self, body: bytes) -> None:
        form, exchange = self._form, self.exchange
        request = exchange.request = HttpRequest("POST", "/", "", form.headers, body)
        exchange.target = form.routed
        self.act(form.caller, form.region, request)
