"""Requests that a form fits: what is asked of each of them all the same, before what they want is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloche.foundation.ids import request_id as new_request_id
from cloche.server.quick.cycle import QuickCycle, headers_of
from cloche.server.quick.forms import Form, Sight
from cloche.server.quick.heads import Lines, Make, known_head

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol

TRIES_MAX: Final = 8
"""So many heads of a form are tried to be cut."""


class Alikeness(QuickCycle):
    """Stands before the kind of cycle that the form's first request had. If the signature does not hold by the form,
    the request is judged like any other."""

    __slots__ = ()
    _form: Form
    _sight: Sight | None
    _lines: Lines | None
    """The header lines; ``None`` where its head was found by the form's."""

    def begin_alike(self, body: bytes) -> None:
        """Answer the request, now or later, by ``write``. What it raises is refused as the chain would."""
        raise AssertionError("a kind of cycle says how it begins")

    def set(self) -> None:
        if self.more_body or self._begun or self.disconnected:
            return
        form, sight, exchange, body = self._form, self._sight, self.exchange, bytes(self.body)
        assert sight is not None
        if not form.alike.verify(sight.values, sight.signature, body, self.chain.clock.real()):
            lines = self._lines
            if lines is None:
                assert form.known is not None
                lines = form.known.lines(sight)
            self.headers = headers_of(lines)
            super().set()
            return
        self._begun = True
        self._protocol.known = form.known
        exchange.request_id, exchange.admitted = new_request_id(), True
        try:
            self.begin_alike(body)
        except Exception as error:
            self.refuse(error)


def alike_cycle(make: Make, form: Form, protocol: HttpProtocol, sight: Sight) -> QuickCycle:
    """The cycle of a parsed request that ``form`` fits."""
    lines: Any = protocol.headers
    if form.known is None and form.tries < TRIES_MAX:
        form.tries += 1
        form.known = known_head(protocol.piece, sight, lines, make)
    return make(protocol, sight, lines)
