"""The console, made when somebody first opens it: a start does not wait for templates nobody may look at.

Only its memory of requests and deliveries is there from the start, so that the first look shows what came before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloche import __version__
from cloche.aws.operation import Caller, Members
from cloche.console.flow import Flow
from cloche.console.recent import Recent
from cloche.server.building import Wiring

if TYPE_CHECKING:
    from cloche.console.app import Console


class LazyConsole:
    """An ASGI application that becomes the console at its first request."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._recent = Recent(wiring.parts.bus)
        self._flow = Flow(wiring.parts.bus, self._occurs_next)
        self._console: Console | None = None
        wiring.when_stopping.append(self._close)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._console is None:
            self._console = self._made()
        await self._console(scope, receive, send)

    def _made(self) -> Console:
        from cloche.console.app import Console
        from cloche.console.pages import Place
        from cloche.engines.topics.mails import Mail, newest

        parts, perform = self._wiring.parts, self._wiring.perform
        root = parts.identity.root_credentials()
        caller = Caller(root.account, root.principal_arn, root.user_id, root.access_key)

        async def ask(service: str, operation: str, members: Members) -> Members:
            return await perform.perform(service, operation, members, caller)

        settings = parts.settings
        place = Place(settings.account, settings.region, __version__, str(settings.data))

        def mails() -> list[Mail]:
            return newest(parts.database.reader, settings.account, settings.region)

        token = self._wiring.console_token
        return Console(ask, self._recent, self._flow, place, token, parts.agenda, mails)

    def _occurs_next(self, arn: str) -> float | None:
        parts = self._wiring.parts
        return parts.events.schedules.next_of(parts.database.reader, arn)

    def _close(self) -> None:
        if self._console is not None:
            self._console.close()
