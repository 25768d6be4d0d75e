"""The short way of reads: JSON operations whose handlers are ``inline`` (``DescribeTrainingJob``, plain lists).

An SDK that waits for a job asks for its description again and again, and so do consoles and pipelines; the answer is
mostly one that has been given before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Members, Operation
from cloche.aws.protocols import parse_request, serialize_response
from cloche.aws.routing import Routed, route
from cloche.aws.signing.refusals import family_of
from cloche.aws.validation import validate
from cloche.server.app import Chain
from cloche.server.quick.cycle import QuickCycle, block_of

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol


class QuickRead:
    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def takes(self, protocol: HttpProtocol, target: bytes, headers: Headers) -> QuickCycle | None:
        if "x-amz-target" not in headers:
            return None
        try:
            routed = route(HttpRequest("POST", "/", "", headers))
        except AwsError:
            return None
        offered = self._chain.dispatch.ready(routed.service_name)
        operation = None if offered is None else offered.operations.get(routed.operation.name)
        if operation is None or not operation.inline:
            return None
        return ReadCycle(self._chain, protocol, routed, operation, headers)


class ReadCycle(QuickCycle):
    __slots__ = ("_operation", "_routed")

    def __init__(
        self, chain: Chain, protocol: HttpProtocol, routed: Routed, operation: Operation, headers: Headers
    ) -> None:
        super().__init__(chain, protocol, "/", headers)
        self._routed = routed
        self._operation = operation

    def begin(self, request: HttpRequest) -> None:
        chain, exchange = self.chain, self.exchange
        target = exchange.target = self._routed
        verified = chain.verifier.verify(request, family_of(target.service_name, target.protocol), chain.clock.real())
        exchange.caller = verified.caller
        members = parse_request(target.service, target.operation, target.protocol, request)
        validate(target.service, target.operation, members)
        context = chain.context(exchange.request_id, verified.caller, verified.region, request)
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
