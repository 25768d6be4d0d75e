"""Where a guarded update is: in which stage of its way, forward or back, and in which phase of the stage.

    Deleting ─▶ Creating ─▶ ActivatingTraffic ─▶ Baking ─▶ next stage, or done

A stage begins by ending what it has no use for (blue/green: nothing), then what it needs comes up, then its share of
the requests is sent there, then that is watched. Each phase is a row's transition: it is durable before it is acted on,
and what requests see follows from the document alone (``parts_of``), so a server that takes over sends them where the
one before did. Phases are AWS's: docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariantStatus.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cloche.engines.hosting.policy import Counts, Policy, Stage

if TYPE_CHECKING:
    from cloche.engines.hosting.capture import CapturePlan
    from cloche.engines.hosting.document import Endpoint, Fleet, Serving

CREATING: Final = "Creating"
ACTIVATING: Final = "ActivatingTraffic"
BAKING: Final = "Baking"
DELETING: Final = "Deleting"


class Rollout(NamedTuple):
    """Times are seconds since 1970 by Cloche's clock."""

    policy: Policy
    stages: tuple[Stage, ...]
    started_at: float
    at: int = 0
    """The stage it is in; past the last one everything is done but the deleting."""
    phase: str = CREATING
    since: float = 0.0
    until: float | None = None
    """When the watching ends."""
    share: Mapping[str, float] | None = None
    """Of each variant's requests that goes to the new fleet now; ``None``: nothing yet."""
    on: Counts | None = None
    """How many instances of the new fleet share them."""
    reason: str = ""
    """Why it goes back; empty while it goes forward."""
    restored: tuple[str, ...] = ()
    """Instances of the old fleet that are started anew for the way back."""

    @property
    def stage(self) -> Stage:
        return self.stages[min(self.at, len(self.stages) - 1)]

    @property
    def is_back(self) -> bool:
        return bool(self.reason)

    @property
    def deadline(self) -> float | None:
        seconds = self.policy.timeout_seconds
        return None if seconds is None or self.is_back else self.started_at + seconds

    @property
    def is_shared(self) -> bool:
        """Whether requests go to the new fleet."""
        return any((self.share or {}).values())

    def document(self) -> dict[str, Any]:
        return {
            "policy": self.policy.document(),
            "stages": [stage.document() for stage in self.stages],
            "started_at": self.started_at,
            "at": self.at,
            "phase": self.phase,
            "since": self.since,
            "until": self.until,
            "share": None if self.share is None else dict(self.share),
            "on": None if self.on is None else dict(self.on),
            "reason": self.reason,
            "restored": list(self.restored),
        }

    @staticmethod
    def of(document: Mapping[str, Any] | None) -> Rollout | None:
        if document is None:
            return None
        return Rollout(
            **{
                **document,
                "policy": Policy.of(document["policy"]),
                "stages": tuple(Stage.of(each) for each in document["stages"]),
                "restored": tuple(document["restored"]),
            }
        )

    def enters(self, phase: str, now: float) -> Rollout:
        until = now + self.stage.watched_seconds if phase == BAKING else None
        moved = self._replace(phase=phase, since=now, until=until)
        return moved._replace(share=self.stage.share, on=self.stage.on) if phase == ACTIVATING else moved


class Part(NamedTuple):
    """What a variant of one fleet gets of the requests: ``weight`` of the endpoint's, ``part`` of its variant's."""

    configuration: str
    variant: Serving
    weight: float
    capture: CapturePlan | None = None
    part: float = 1.0
    instances: int | None = None
    """Only so many of its instances share them; ``None``: all."""


def parts_of(endpoint: Endpoint) -> list[Part]:
    """Who gets requests now."""
    old, new, rollout = endpoint.serving, endpoint.pending, endpoint.rollout
    if old is None:
        return []
    if new is None or rollout is None or not rollout.is_shared:
        return whole(old)
    share, on = rollout.share or {}, rollout.on or {}
    parts = []
    for fleet, forward in ((old, False), (new, True)):
        weights = _weights(fleet)
        for variant in fleet.variants:
            name = variant.plan.name
            part = share.get(name, 0.0) if forward else 1.0 - share.get(name, 0.0)
            count = on.get(name, 0) if forward else None
            parts.append(Part(fleet.configuration, variant, weights[name] * part, fleet.capture, part, count))
    return parts


def whole(fleet: Fleet) -> list[Part]:
    return [Part(fleet.configuration, variant, variant.plan.weight, fleet.capture) for variant in fleet.variants]


def _weights(fleet: Fleet) -> dict[str, float]:
    """Shares of the fleet's requests: two fleets' weights may be of different scales."""
    total = sum(variant.plan.weight for variant in fleet.variants)
    return {
        variant.plan.name: variant.plan.weight / total if total else 1.0 / len(fleet.variants)
        for variant in fleet.variants
    }


def message(rollout: Rollout, variant: str) -> str:
    """AWS's ``StatusMessage``: docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
    (section "SageMaker endpoint deployment state change")."""
    stage, phase = rollout.stage, rollout.phase
    if phase in (CREATING, DELETING):
        verb = "Launching" if phase == CREATING else "Terminating"
        return f"{verb} {_moved(rollout, variant)} instance(s)."
    capacity = f"{stage.called} capacity of {stage.on.get(variant, 0)} instance(s).".lstrip()
    if phase == BAKING:
        return f"Baking for {stage.watched_seconds} seconds ({stage.watched_for}) with traffic enabled on {capacity}"
    return f"Activating traffic on {capacity}"


def _moved(rollout: Rollout, variant: str) -> int:
    """How many of the variant's instances the stage launches, or terminates before it begins."""
    stage = rollout.stage
    before = rollout.stages[rollout.at - 1] if 0 < rollout.at < len(rollout.stages) else None
    if rollout.phase == CREATING and rollout.is_back:
        return len(rollout.restored)
    if rollout.phase == CREATING:
        return stage.new.get(variant, 0) - (before.new.get(variant, 0) if before else 0)
    if before is None:
        return stage.new.get(variant, 0)
    gone, left = (before.new, stage.new) if rollout.is_back else (before.old, stage.old)
    return gone.get(variant, 0) - left.get(variant, 0)
