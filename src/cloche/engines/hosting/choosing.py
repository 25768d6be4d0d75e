"""Where a request goes, and where it goes next when nobody listens there: shared by whole answers and streams.

While no instance of the variant listens (its model server died and is being started again), the request waits up
to ``recovery_seconds`` and looks again; it was not sent to anybody, so nothing can happen twice.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

from cloche.engines.hosting.router import (
    ANY,
    ComponentWanted,
    ContainerUnknown,
    ContainerWanted,
    Key,
    NotStreamed,
    Router,
    ScaledToNone,
    Target,
    Variant,
    Wanted,
)
from cloche.foundation.errors import NotFound

LOOK_SECONDS: Final = 0.05


class EndpointUnknown(NotFound):
    """No endpoint of that name serves."""


class VariantUnknown(NotFound):
    """The endpoint serves, but has no variant of that name."""


class SessionUnknown(NotFound):
    """No instance holds that session: it never was, has ended, or its instance has."""


REFUSALS: Final = (
    EndpointUnknown,
    VariantUnknown,
    SessionUnknown,
    ComponentWanted,
    ContainerWanted,
    ContainerUnknown,
    NotStreamed,
    ScaledToNone,
)


class NothingServes(Exception):
    """The endpoint is there, but no model server could be reached."""


class Choosing:
    """One request's search for an instance."""

    __slots__ = (
        "_misses",
        "_recovery_seconds",
        "_router",
        "_tried",
        "_wanted",
        "container",
        "key",
        "started_at",
        "variant",
    )

    def __init__(self, router: Router, key: Key, wanted: Wanted, recovery_seconds: float) -> None:
        self._router = router
        self.key = key
        self._wanted = wanted
        self.container = wanted.container
        """Which of an instance's containers is asked; empty: the one there is, or all in turn."""
        self._recovery_seconds = recovery_seconds
        self._tried: Target | None = None
        self._misses = 0
        self.started_at = perf_counter()
        self.variant: Variant | None = None

    @property
    def name(self) -> str:
        """The variant's, empty before there is one."""
        return self.variant.name if self.variant is not None else ""

    def target(self) -> Target | None:
        """The next instance to ask, ``None`` where none is there at the moment. Raises one of ``REFUSALS``."""
        route = self._router.get(self.key)
        if route is None:
            raise EndpointUnknown("no endpoint of that name serves")
        wanted = self._wanted
        if wanted is ANY and (only := route.only) is not None:
            self.variant, target = only, only.targets[0]
            self._tried = None if target is self._tried else target
            return self._tried
        stay = route.named(self.variant.name) if self.variant is not None else None
        variant = self.variant = stay or route.find(wanted)  # a second try stays with the variant it was dealt
        if variant is None:
            if wanted.instance:
                raise SessionUnknown("no instance holds that session")
            raise VariantUnknown("the endpoint has no such variant")
        if wanted.container:
            if wanted.container not in variant.containers:
                raise ContainerUnknown("the variant has no such container")
        elif variant.refusal is not None:
            if variant.refusal is ScaledToNone:
                variant.traffic.miss()
            raise variant.refusal(f"nothing of {variant.name} is ever to answer this request")
        found = variant.named(wanted.instance) if wanted.instance else variant.choose(self._tried)
        if found is None and wanted.instance:
            raise SessionUnknown("the instance that held the session is gone")
        self._tried = found
        return found

    def missed(self) -> bool:
        """Nobody listened there. ``True``: ask another at once; ``False``: look again in a while."""
        self._misses += 1
        return self.variant is not None and self._misses < len(self.variant.targets)

    def may_wait(self) -> bool:
        """All were unreachable: whether a restart may still bring one."""
        self._tried = None
        self._misses = 0
        return perf_counter() - self.started_at < self._recovery_seconds
