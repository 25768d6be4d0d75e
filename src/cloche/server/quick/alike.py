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

    def ask_ahead(self, body: bytes) -> None:
        """Begin what may be begun before it is known that the signature holds, on a connection where one like it did:
        what leaves no trace. It may be taken back."""

    def take_back(self) -> None:
        """What was begun so is not wanted: nothing of it is to be counted, recorded or answered."""

    def set(self) -> None:
        if self.more_body or self._begun or self.disconnected:
            return
        form, sight, exchange, body = self._form, self._sight, self.exchange, bytes(self.body)
        assert sight is not None
        alike = form.alike
        if not alike.may_hold(sight.values, self.chain.clock.real()):
            self._judge(sight)
            return
        if self._lines is None:
            self.ask_ahead(body)
        if not alike.holds(sight.values, sight.signature, body):
            self.take_back()
            self._judge(sight)
            return
        self._begun = True
        self._protocol.known = form.known
        exchange.request_id, exchange.admitted = new_request_id(), True
        try:
            self.begin_alike(body)
        except Exception as error:
            self.take_back()
            self.refuse(error)

    def _judge(self, sight: Sight) -> None:
        lines = self._lines
        if lines is None:
            assert self._form.known is not None
            lines = self._form.known.lines(sight)
        self.headers = headers_of(lines)
        super().set()


def alike_cycle(make: Make, form: Form, protocol: HttpProtocol, sight: Sight) -> QuickCycle:
    """The cycle of a parsed request that ``form`` fits."""
    lines: Any = protocol.headers
    if form.known is None and form.tries < TRIES_MAX:
        form.tries += 1
        form.known = known_head(protocol.piece, sight, lines, make)
    return make(protocol, sight, lines)
