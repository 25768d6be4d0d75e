"""The endpoint's own document: which fleet serves, which is being brought up, and every instance there is.

The document is kept by JSON merge (RFC 7396): objects are merged key by key, lists are replaced, ``None`` removes.
So fleets are lists of variants, and instances are an object under their ids: an update that is asked for while an
instance is being restarted does not touch what the restart writes.

    {"name", "account", "region",
     "serving": {"configuration", "variants": [{plan…, "instances": [id]}], "capture": [plan] | []} | absent,
     "pending": the same, "scales" if it is the serving fleet with other counts | absent,
     "rollout": [where a guarded update is] | absent,
     "instances": {id: {"variant", "model": plan, "attempt", "failures", "retry_at", "first_at", "leaving_at"}}}
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cloche.engines.hosting.capture import CapturePlan
from cloche.engines.hosting.plan import COMPONENT, Capacity, EndpointPlan, FleetPlan, VariantPlan
from cloche.engines.hosting.policy import Counts, Policy, stages_of
from cloche.engines.hosting.rollout import Rollout
from cloche.foundation.errors import Invalid
from cloche.lifecycle.machine import Item

PROCESS_PREFIX: Final = "endpoint-"


@dataclass(frozen=True, slots=True)
class Instance:
    """One place for a model server. Each start is an attempt with a process (and socket) of its own."""

    id: str
    plan: VariantPlan
    attempt: int = 1
    failures: int = 0
    """Starts in a row that ended before the server had answered a ping."""
    retry_at: float = 0.0
    first_at: float | None = None
    """When its first attempt was begun: the time until the first good ping counts from here."""
    leaving_at: float | None = None
    """When it was taken off the route: it finishes what it has, then it is stopped."""

    @property
    def process(self) -> str:
        return f"{PROCESS_PREFIX}{self.id}-{self.attempt}"

    def document(self) -> dict[str, Any]:
        return {
            "plan": [self.plan.document()],  # in a list: replaced whole, never merged
            "attempt": self.attempt,
            "failures": self.failures,
            "retry_at": self.retry_at,
            "first_at": self.first_at,
            "leaving_at": self.leaving_at,
        }

    @staticmethod
    def of(id: str, document: Mapping[str, Any]) -> Instance:
        known = {key: value for key, value in document.items() if key != "plan"}
        return Instance(id, VariantPlan.of(document["plan"][0]), **known)


@dataclass(frozen=True, slots=True)
class Serving:
    """A variant of a fleet with the ids of its instances."""

    plan: VariantPlan
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    configuration: str
    variants: tuple[Serving, ...]
    capture: CapturePlan | None = None

    @property
    def instances(self) -> list[str]:
        return [id for variant in self.variants for id in variant.instances]

    @property
    def counts(self) -> Counts:
        return {variant.plan.name: len(variant.instances) for variant in self.variants}

    @property
    def planned(self) -> Counts:
        """How many instances each variant is to have."""
        return {v.plan.name: 0 if v.plan.hosts_only else v.plan.instance_count for v in self.variants}

    def first(self, counts: Counts) -> Fleet:
        """The fleet with so many instances of each variant, the first ones."""
        variants = [replace(v, instances=v.instances[: counts.get(v.plan.name, 0)]) for v in self.variants]
        return replace(self, variants=tuple(variants))

    def document(self) -> dict[str, Any]:
        return {
            "configuration": self.configuration,
            "variants": [{"plan": each.plan.document(), "instances": list(each.instances)} for each in self.variants],
            "capture": [] if self.capture is None else [self.capture.document()],  # in a list: never merged
        }

    @staticmethod
    def of(document: Mapping[str, Any] | None) -> Fleet | None:
        if document is None:
            return None
        variants = tuple(Serving(VariantPlan.of(e["plan"]), tuple(e["instances"])) for e in document["variants"])
        capture = document.get("capture")
        return Fleet(document["configuration"], variants, CapturePlan.of(capture[0]) if capture else None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The document, read."""

    arn: str
    name: str
    account: str
    region: str
    serving: Fleet | None
    pending: Fleet | None
    instances: Mapping[str, Instance]
    rollout: Rollout | None = None

    @property
    def component(self) -> str:
        """The inference component that this is; empty for an endpoint."""
        return self.name.partition(COMPONENT)[2]

    @staticmethod
    def of(item: Item) -> Endpoint:
        data = item.data
        return Endpoint(
            arn=item.id,
            name=data["name"],
            account=data["account"],
            region=data["region"],
            serving=Fleet.of(data.get("serving")),
            pending=Fleet.of(data.get("pending")),
            instances={id: Instance.of(id, each) for id, each in data.get("instances", {}).items()},
            rollout=Rollout.of(next(iter(data.get("rollout") or ()), None)),
        )


def new_instance_id() -> str:
    """In EC2's form, as the streams of an endpoint's log are named in AWS."""
    return "i-" + secrets.token_hex(8) + secrets.choice("0123456789abcdef")


def begin(plan: EndpointPlan) -> dict[str, Any]:
    """The document of an endpoint that is to be created."""
    data: dict[str, Any] = {"name": plan.name, "account": plan.account, "region": plan.region}
    return {**data, **bring(plan.fleet)}


def bring(fleet: FleetPlan) -> dict[str, Any]:
    """Changes that add ``fleet`` beside whatever serves, every instance new."""
    instances: dict[str, Any] = {}
    variants: list[Serving] = []
    for plan in fleet.variants:
        ids = tuple(new_instance_id() for _ in range(0 if plan.hosts_only else plan.instance_count))
        instances |= {id: Instance(id, plan).document() for id in ids}
        variants.append(Serving(plan, ids))
    pending = Fleet(fleet.configuration, tuple(variants), fleet.capture)
    return {"pending": pending.document(), "instances": instances}


def guard(serving: Fleet, fleet: FleetPlan, policy: Policy, now: float) -> dict[str, Any]:
    """Changes that add ``fleet`` as ``bring`` does, to take over in the stages of ``policy``."""
    changes = bring(fleet)
    pending = Fleet.of(changes["pending"])
    assert pending is not None
    stages = tuple(stages_of(policy, serving.counts, pending.counts))
    return {**changes, "rollout": [Rollout(policy, stages, now, since=now).document()]}


def fill(fleet: Fleet, counts: Counts) -> tuple[Fleet, dict[str, Instance]]:
    """The fleet with new instances up to ``counts``, and those."""
    added: dict[str, Instance] = {}
    variants: list[Serving] = []
    for variant in fleet.variants:
        missing = counts.get(variant.plan.name, 0) - len(variant.instances)
        new = [Instance(new_instance_id(), variant.plan) for _ in range(missing)]
        added |= {instance.id: instance for instance in new}
        variants.append(replace(variant, instances=(*variant.instances, *(instance.id for instance in new))))
    return replace(fleet, variants=tuple(variants)), added


def rescale(serving: Fleet, capacities: Iterable[Capacity]) -> dict[str, Any]:
    """Changes that keep the serving fleet's instances and add or leave out some.

    Raises ``Invalid`` for a variant that is not there.
    """
    asked = {capacity.variant: capacity for capacity in capacities}
    for name in asked:
        if all(variant.plan.name != name for variant in serving.variants):
            raise Invalid(f"The endpoint has no production variant {name}.", field="VariantName")
    instances: dict[str, Any] = {}
    variants: list[Serving] = []
    for variant in serving.variants:
        capacity = asked.get(variant.plan.name, Capacity(variant.plan.name))
        count = variant.plan.instance_count if capacity.instance_count is None else capacity.instance_count
        weight = variant.plan.weight if capacity.weight is None else capacity.weight
        plan = replace(variant.plan, weight=weight, instance_count=count)
        added = [new_instance_id() for _ in range(0 if plan.hosts_only else count - len(variant.instances))]
        instances |= {id: Instance(id, plan).document() for id in added}
        variants.append(Serving(plan, (*variant.instances[:count], *added)))
    pending = {**replace(serving, variants=tuple(variants)).document(), "scales": True}
    return {"pending": pending, "instances": instances}
