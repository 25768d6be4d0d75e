"""Which instance answers a request: variants by their weights, instances by how busy they are.

A route is replaced whole, by one assignment, so a request sees either the old configuration or the new one.
``Router`` may be told of new routes from any thread; ``pick`` runs on the event loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

from cloche.engines.hosting.capture import Recorder
from cloche.engines.hosting.connection import Pool
from cloche.engines.hosting.relay import Relay, Way
from cloche.engines.hosting.traffic import Traffic
from cloche.foundation.errors import NotFound


class Target:
    """One instance of a variant: where its model server listens, or (``ways``) those of its containers. The first
    request makes ``pool``."""

    __slots__ = ("instance", "path", "pool", "streams", "ways")

    def __init__(self, instance: str, path: str, ways: Sequence[Way] = ()) -> None:
        self.instance = instance
        self.path = path
        self.ways = tuple(ways)
        self.pool: Pool | Relay | None = None
        self.streams = 0
        """Answers that are being streamed."""

    def open(self, loop: asyncio.AbstractEventLoop) -> Pool | Relay:
        pool = self.pool = Relay(self.ways, loop) if self.ways else Pool(self.path, loop)
        return pool

    @property
    def outstanding(self) -> int:
        return self.streams if self.pool is None else self.pool.outstanding + self.streams


class ComponentWanted(NotFound):
    """The variant holds inference components; the request names none."""


class ContainerWanted(NotFound):
    """The variant has several containers, each for itself; the request names none."""


class NotStreamed(NotFound):
    """The containers answer in a row, one what the other has said: each must have said all of it."""


class ContainerUnknown(NotFound):
    """The request names a container, and the variant has none of that name that may be asked for."""


class ScaledToNone(NotFound):
    """It is there, but has been scaled to no copy at all."""


class Variant:
    """A variant's share of the traffic, or during a guarded update that of its old or its new instances. ``credit`` is
    the running sum of smooth weighted round robin."""

    __slots__ = (
        "at_random",
        "containers",
        "credit",
        "name",
        "part",
        "part_credit",
        "recorder",
        "refusal",
        "targets",
        "traffic",
        "turn",
        "weight",
    )

    def __init__(
        self,
        name: str,
        weight: float,
        targets: Sequence[Target],
        traffic: Traffic,
        *,
        part: float = 1.0,
        at_random: bool = False,
        refusal: type[ComponentWanted | ContainerWanted | ScaledToNone] | None = None,
        recorder: Recorder | None = None,
        containers: Collection[str] = (),
    ) -> None:
        self.name = name
        self.weight = weight
        self.part = part
        """Of the requests for this very variant: two that share a name share these."""
        self.targets = tuple(targets)
        self.traffic = traffic
        self.at_random = at_random
        self.refusal = refusal
        """What a request is told where nothing is ever to answer it."""
        self.containers = frozenset(containers)
        """Those that a request may name."""
        self.recorder = recorder
        """What captures its requests; ``None``: nothing does."""
        self.credit = 0.0
        self.part_credit = 0.0
        self.turn = 0

    def choose(self, but: Target | None = None) -> Target | None:
        """An instance by the variant's ``RoutingStrategy``; ``None`` where there is none.

        ``but`` is left out: it has just been found unreachable.
        """
        if self.at_random and len(self.targets) > 1:
            return random.choice([target for target in self.targets if target is not but])  # noqa: S311
        return self.least_busy(but)

    def named(self, instance: str) -> Target | None:
        return next((target for target in self.targets if target.instance == instance), None)

    def least_busy(self, but: Target | None = None) -> Target | None:
        """The instance with the fewest requests under way, equals in turn."""
        targets = self.targets
        if len(targets) == 1:
            return targets[0] if targets[0] is not but else None
        best: Target | None = None
        self.turn += 1
        for at in range(len(targets)):
            target = targets[(self.turn + at) % len(targets)]
            if target is not but and (best is None or target.outstanding < best.outstanding):
                best = target
        return best


class Wanted(NamedTuple):
    """What a request says of its way: a variant by name, an instance that holds its session, one of its containers."""

    variant: str = ""
    instance: str = ""
    container: str = ""


ANY: Final = Wanted()


class Route:
    """Everything the data plane knows of one endpoint."""

    __slots__ = ("by_name", "only", "variants")

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.variants = tuple(variants)
        first = self.variants[0] if len(self.variants) == 1 else None
        is_only = first is not None and len(first.targets) == 1 and first.refusal is None
        self.only = first if is_only else None
        """Where there is nothing to choose: one variant, of one instance."""
        self.by_name: dict[str, list[Variant]] = {}
        for variant in variants:
            self.by_name.setdefault(variant.name, []).append(variant)

    def find(self, wanted: Wanted) -> Variant | None:
        """The variant for a request; ``None`` where what it wants is not there."""
        if wanted.instance:
            found = (variant for variant in self.variants if variant.named(wanted.instance) is not None)
            return next((variant for variant in found if wanted.variant in ("", variant.name)), None)
        return self.named(wanted.variant) if wanted.variant else self.choose()

    def named(self, name: str) -> Variant | None:
        """The variant of that name; of the two during a guarded update, each in its turn by its part."""
        same = self.by_name.get(name)
        if same is None or len(same) == 1:
            return None if same is None else same[0]
        for variant in same:
            variant.part_credit += variant.part
        best = max(same, key=lambda variant: variant.part_credit)
        best.part_credit -= 1.0
        return best

    def choose(self) -> Variant:
        """By weight: over any run of requests the shares differ from the weights by less than one request.

        Where all weights are nought, each variant counts the same.
        """
        if len(self.variants) == 1:
            return self.variants[0]
        total = sum(variant.weight for variant in self.variants)
        best = self.variants[0]
        for variant in self.variants:
            variant.credit += variant.weight if total else 1.0
            if variant.credit > best.credit:
                best = variant
        best.credit -= total if total else len(self.variants)
        return best


Key = tuple[str, str, str]
"""(account, region, endpoint name)"""


class Router:
    def __init__(self) -> None:
        self._routes: dict[Key, Route] = {}
        self.get: Callable[[Key], Route | None] = self._routes.get

    def put(self, key: Key, route: Route) -> None:
        self._routes[key] = route

    def remove(self, key: Key) -> None:
        self._routes.pop(key, None)

    def items(self) -> list[tuple[Key, Route]]:
        return list(self._routes.items())
