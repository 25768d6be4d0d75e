"""The event loop's selector, which has some connections read on the spot.

Between a request of a lone client and the next the processor does something else, and whatever code the next one needs
comes from memory again. asyncio's way from a readable socket to ``data_received`` (a list of events, handles, contexts,
a loop around them) is then longer than predicting a row: an echo of a line over a Unix socket took 90 microseconds more
than one that reads where it waits. So connections that answer at once are read here, where the loop waits, and only
what is left over goes to the loop: other descriptors, ends, writers, and a connection that says it has given the loop
something to do. A connection that was not taken is read by its transport, as if nobody had looked.
"""

from __future__ import annotations

import math
import select
import selectors
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

Serve = Callable[[], bool]
"""Reads what has come and deals with it; ``False``: the loop is to look at the descriptor, or has something to do. It
must not raise."""
EVENTS_MAX: Final = 64


class PromptSelector(selectors.BaseSelector):
    """epoll. What is registered is also promptly served where ``prompt`` says how, until it is unregistered."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._prompt: dict[int, Serve] = {}

    def prompt(self, descriptor: int, serve: Serve) -> None:
        """From now on have ``serve`` called, inside ``select``, when the registered ``descriptor`` can be read."""
        self._prompt[descriptor] = serve

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        descriptor = self._descriptor(fileobj)
        if descriptor in self._keys:
            raise KeyError(f"{fileobj!r} is already registered")
        self._epoll.register(descriptor, _mask(events))
        key = self._keys[descriptor] = selectors.SelectorKey(fileobj, descriptor, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        descriptor = self._descriptor(fileobj)
        key = self._keys.pop(descriptor)
        self._prompt.pop(descriptor, None)
        with suppress(OSError):  # it may have been closed first
            self._epoll.unregister(descriptor)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        descriptor = self._descriptor(fileobj)
        known = self._keys[descriptor]
        if events != known.events:
            self._epoll.modify(descriptor, _mask(events))
        key = self._keys[descriptor] = known._replace(events=events, data=data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready for the loop; what was served here is not. Without ``timeout`` it waits until something is."""
        seconds = -1.0 if timeout is None else max(0.0, math.ceil(timeout * 1e3) * 1e-3)
        keys, prompt, poll = self._keys, self._prompt, self._epoll.poll
        while True:
            ready = []
            for descriptor, event in poll(seconds, EVENTS_MAX):
                key = keys.get(descriptor)
                serve = prompt.get(descriptor) if event == select.EPOLLIN else None
                if key is not None and (serve is None or not serve()):
                    found = 0 if event == select.EPOLLOUT else selectors.EVENT_READ
                    if event != select.EPOLLIN:
                        found |= selectors.EVENT_WRITE
                    ready.append((key, found & key.events))
            if ready or timeout is not None:
                return ready

    def close(self) -> None:
        self._epoll.close()
        self._keys.clear()
        self._prompt.clear()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return _Registered(self._keys, self._descriptor)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[self._descriptor(fileobj)]

    def _descriptor(self, fileobj: Any) -> int:
        """Also of a file that was closed while it was registered."""
        descriptor = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
        if descriptor < 0:
            return next((key.fd for key in self._keys.values() if key.fileobj is fileobj), descriptor)
        return descriptor


class _Registered(Mapping[Any, selectors.SelectorKey]):
    """By file object or descriptor: the loop asks it for either from Python 3.13 on."""

    def __init__(self, keys: Mapping[int, selectors.SelectorKey], descriptor: Callable[[Any], int]) -> None:
        self._keys = keys
        self._descriptor = descriptor

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[self._descriptor(fileobj)]

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _mask(events: int) -> int:
    readable = select.EPOLLIN if events & selectors.EVENT_READ else 0
    return readable | (select.EPOLLOUT if events & selectors.EVENT_WRITE else 0)
