"""One way in: the port by which the console and the engines use the API from inside.

It enters the chain after parsing, so what comes through it is validated, authorized and handled like a request
from the wire, only without bytes and signature.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import ErrorCodes, translate
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model.load import service_model
from cloche.aws.operation import Caller, Context, Members
from cloche.aws.validation import validate
from cloche.foundation.errors import Broken, ClocheError
from cloche.foundation.ids import request_id
from cloche.server.app import Chain
from cloche.server.dispatch import not_offered

_NO_REQUEST = HttpRequest("POST", "/", "", Headers())
_LOOK_SECONDS: Final = 0.5
"""How long a thread that waits for an answer may not notice that the server ends."""


class Perform:
    """``perform(service, operation, request, caller)``; raises ``AwsError``."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once by the server when its loop runs."""
        self._loop = loop

    def unbind(self) -> None:
        """The server ends: whoever waits in ``from_thread`` is let go."""
        self._loop = None

    async def perform(
        self,
        service: str,
        operation: str,
        request: Members,
        caller: Caller,
        region: str = "",
        origin: Mapping[str, Any] | None = None,
    ) -> Members:
        """The operation's answer, from the server's loop. ``origin``: see ``Context``."""
        chain = self._chain
        offered = await chain.offered(service)
        if offered is None:
            raise not_offered(service, operation, ErrorCodes())
        found = offered.operation(operation)
        context = self._checked(service, operation, request, caller, region, origin)
        try:
            return (await chain.act(context, service, found, request)).members
        except ClocheError as error:
            raise translate(error, offered.service.errors) from error

    def _checked(
        self,
        service: str,
        operation: str,
        request: Members,
        caller: Caller,
        region: str,
        origin: Mapping[str, Any] | None,
    ) -> Context:
        model = service_model(service)
        validate(model, model.operation_model(operation), request)
        return self._chain.context(request_id(), caller, region, _NO_REQUEST, origin)

    def from_thread(
        self,
        service: str,
        operation: str,
        request: Members,
        caller: Caller,
        region: str = "",
        origin: Mapping[str, Any] | None = None,
    ) -> Members:
        """The same for engines, which run in threads; waits for the answer. Never call it on the loop. Raises
        ``Broken`` where the server ends meanwhile: whether the operation was done is then to be looked up.

        A plain handler runs in the very thread that asks, which waits for it anyway: a step of a pipeline asks twice,
        and each way over the loop is four changes of threads."""
        loop, chain = self._loop, self._chain
        if loop is None:
            raise Broken("the server does not answer: it starts or ends")
        offered = chain.dispatch.ready(service)
        if offered is not None and chain.is_loaded and chain.runner.is_plain(found := offered.operation(operation)):
            context = self._checked(service, operation, request, caller, region, origin)
            try:
                chain.authorize(context, service, found, request)
                return chain.runner.run_here(found, context, request).members
            except ClocheError as error:
                raise translate(error, offered.service.errors) from error
        work = self.perform(service, operation, request, caller, region, origin)
        future = asyncio.run_coroutine_threadsafe(work, loop)
        while True:
            try:
                return future.result(_LOOK_SECONDS)
            except concurrent.futures.TimeoutError:
                if future.done():
                    raise
                if self._loop is None:
                    raise Broken("the server ended before it answered") from None
