"""What the data plane is told of fleets, and what it tells back: who answers, who is still busy.

``Routes`` stands between the driver (worker threads, durable documents) and the router (event loop, memory). A
server that starts publishes what the documents say before anything was asked: requests then wait for connections
instead of being told that there is no such endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cloche.engines.hosting.capture import Captures
from cloche.engines.hosting.document import Endpoint, Instance
from cloche.engines.hosting.plan import VariantPlan
from cloche.engines.hosting.relay import Way
from cloche.engines.hosting.rollout import Part
from cloche.engines.hosting.router import (
    ComponentWanted,
    ContainerWanted,
    Key,
    Route,
    Router,
    ScaledToNone,
    Target,
    Variant,
)
from cloche.engines.hosting.traffic import Traffic


class Member(NamedTuple):
    """A process on a route."""

    account: str
    region: str
    endpoint: str
    variant: str
    process: str
    containers: tuple[str, ...] = ()
    """Their names in their order, where it has several."""
    plan: VariantPlan | None = None


class Counted(NamedTuple):
    """What requests are counted by: a variant, with the configuration it is of."""

    arn: str
    variant: str
    configuration: str


class _Published(NamedTuple):
    """A variant as the route has it."""

    part: Part
    processes: tuple[str, ...]


class Routes:
    """``ways_of`` tells where an instance's containers listen."""

    def __init__(self, router: Router, ways_of: Callable[[Instance], list[Way]], captures: Captures) -> None:
        self.router = router
        self._captures = captures
        self._ways_of = ways_of
        self._lock = threading.Lock()
        self._answering: set[str] = set()
        self._doubted: set[str] = set()
        self._targets: dict[str, Target] = {}
        self._traffic: dict[Counted, Traffic] = {}
        self._published: dict[str, list[_Published]] = {}
        self._arns: dict[Key, str] = {}

    # -- who answers -------------------------------------------------------------------------------------

    def is_answering(self, instance: Instance) -> bool:
        """It has answered a ping, and nothing since then gave reason to ask again."""
        return instance.process in self._answering and instance.process not in self._doubted

    def doubt(self, process: str) -> None:
        """A request found nobody there. It stays on the route; the driver is to ask it again."""
        self._doubted.add(process)

    def answering(self, instance: Instance) -> None:
        with self._lock:
            self._answering.add(instance.process)
            self._doubted.discard(instance.process)

    def silent(self, instance: Instance) -> None:
        with self._lock:
            self._answering.discard(instance.process)
            self._doubted.discard(instance.process)

    def outstanding(self, instance: Instance) -> int:
        """Requests under way at this attempt of the instance."""
        target = self._targets.get(instance.process)
        return 0 if target is None else target.outstanding

    def forget(self, instance: Instance) -> None:
        with self._lock:
            self._answering.discard(instance.process)
            self._doubted.discard(instance.process)
            self._targets.pop(instance.process, None)

    # -- routes ------------------------------------------------------------------------------------------

    def publish(self, endpoint: Endpoint, parts: Sequence[Part], *, unseen: bool = False) -> None:
        """Send new requests to those instances of ``parts`` that answer (with ``unseen``, to all of them)."""
        if not parts:
            return
        with self._lock:
            members = [_Published(part, self._processes(endpoint, part, unseen)) for part in parts]
            if self._published.get(endpoint.arn) == members:
                return
            route = Route([self._variant(endpoint, *member) for member in members])
            key = (endpoint.account, endpoint.region, endpoint.name)
            self.router.put(key, route)
            self._published[endpoint.arn] = members
            self._arns[key] = endpoint.arn

    def _processes(self, endpoint: Endpoint, part: Part, unseen: bool) -> tuple[str, ...]:
        found = (endpoint.instances.get(id) for id in part.variant.instances[: part.instances])
        return tuple(each.process for each in found if each and (unseen or each.process in self._answering))

    def _variant(self, endpoint: Endpoint, part: Part, processes: tuple[str, ...]) -> Variant:
        plan = part.variant.plan
        by_process = {instance.process: instance for instance in endpoint.instances.values()}
        targets = [self._target(by_process[process]) for process in processes]
        traffic = self._traffic.setdefault(Counted(endpoint.arn, plan.name, part.configuration), Traffic())
        refusal = _refusal(plan)
        recorder = self._captures.recorder(part.capture, endpoint.account, endpoint.arn, plan.name)
        return Variant(
            plan.name,
            part.weight,
            targets,
            traffic,
            part=part.part,
            at_random=plan.at_random,
            refusal=refusal,
            recorder=recorder,
            containers=[model.name for model in plan.models] if plan.direct else (),
        )

    def _target(self, instance: Instance) -> Target:
        target = self._targets.get(instance.process)
        if target is None:
            ways = self._ways_of(instance)
            several = ways if len(ways) > 1 else ()
            target = self._targets[instance.process] = Target(instance.process, ways[0].path, several)
        return target

    def remove(self, endpoint: Endpoint) -> None:
        with self._lock:
            key = (endpoint.account, endpoint.region, endpoint.name)
            self.router.remove(key)
            self._arns.pop(key, None)
            self._published.pop(endpoint.arn, None)
            self._captures.drop(endpoint.arn)

    def routed(self) -> dict[str, list[str]]:
        """Process → sockets of everything on a route."""
        return {
            target.instance: [way.path for way in target.ways] or [target.path]
            for _, route in self.router.items()
            for variant in route.variants
            for target in variant.targets
        }

    def members(self) -> list[Member]:
        with self._lock:
            published = [each for parts in self._published.values() for each in parts]
        plans = {process: part.variant.plan for part, processes in published for process in processes}
        return [
            Member(
                *key, variant.name, target.instance, tuple(way.name for way in target.ways), plans.get(target.instance)
            )
            for key, route in self.router.items()
            for variant in route.variants
            for target in variant.targets
        ]

    def instance_count(self, counted: Counted, *, of_configuration: bool = False) -> int:
        """How many instances of the variant are on the route now, of both fleets or of the configuration's alone."""
        return sum(
            len(processes)
            for part, processes in self._published.get(counted.arn, ())
            if part.variant.plan.name == counted.variant
            and (not of_configuration or part.configuration == counted.configuration)
        )

    def is_published(self, arn: str) -> bool:
        return arn in self._published

    def arn(self, key: Key) -> str | None:
        return self._arns.get(key)

    def traffic(self) -> list[tuple[Counted, Traffic]]:
        """The counts of everything that has been on a route."""
        with self._lock:
            return list(self._traffic.items())

    def drop_traffic(self, counted: Counted) -> None:
        """It is off the route and its last counts are written."""
        with self._lock:
            self._traffic.pop(counted, None)

    def is_counted(self, counted: Counted) -> bool:
        """Whether it is on a route."""
        return any(
            (part.variant.plan.name, part.configuration) == counted[1:]
            for part, _ in self._published.get(counted.arn, ())
        )


def _refusal(plan: VariantPlan) -> type[ComponentWanted | ContainerWanted | ScaledToNone] | None:
    """What a request is told that names neither component nor container."""
    if plan.hosts_only:
        return ComponentWanted
    if plan.instance_count == 0:
        return ScaledToNone
    return ContainerWanted if plan.direct else None
