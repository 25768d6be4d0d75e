"""Short ways for the kinds of request that come by the thousand: see ``cycle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloche.server.app import Chain
from cloche.server.quick.cycle import QuickCycle
from cloche.server.quick.objects import OPERATIONS, QuickObjects
from cloche.server.quick.read import QuickRead

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol
    from cloche.server.quick.invoke import QuickInvoke

__all__ = ["Quick"]


class Quick:
    """Made once beside the chain, whose parts it uses."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._invoke: QuickInvoke | None = None
        self._read = QuickRead(chain)
        self._objects = QuickObjects(chain)

    def takes(self, protocol: HttpProtocol, method: bytes, target: bytes) -> QuickCycle | None:
        """The cycle that will answer the request whose headers are complete, or ``None``: the ordinary way, also in
        the first moments of a server, when the engines are waited for."""
        if self._chain.load is not None:
            return None
        if method in OPERATIONS:
            return self._objects.takes(protocol, method, target)
        if method != b"POST":
            return None
        if target.startswith(b"/endpoints/"):
            return self._invocations().takes(protocol, target)
        return self._read.takes(protocol, target) if target == b"/" else None

    def _invocations(self) -> QuickInvoke:
        if self._invoke is None:
            from cloche.server.quick.invoke import QuickInvoke

            self._invoke = QuickInvoke(self._chain)
        return self._invoke
