"""What comes next in a guarded update: decided from its document and from what a look at its instances found.

Forward, a stage's instances come up, get their share, are watched; an alarm that rings while the new fleet has
requests, a fleet that does not come up, or too long a time turn it round. Back, what is missing of the old fleet comes
up, gets its share again, and the new fleet goes. An answer of ``None`` means: some model server is starting, look again
soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from cloche.engines.hosting import machine
from cloche.engines.hosting.document import Endpoint, Fleet, Instance, fill
from cloche.engines.hosting.policy import stages_back
from cloche.engines.hosting.rollout import ACTIVATING, BAKING, CREATING, DELETING, Rollout
from cloche.lifecycle.machine import Event, Outcome, Wait

RINGING: Final = "ALARM"
LEAVING_LOOK_SECONDS: Final = 0.2
REASON_CHARACTERS_MAX: Final = 1_024
"""Of the model's ``FailureReason``."""


class Facts(NamedTuple):
    """``now`` is Cloche's time, ``real`` the machine's."""

    now: float
    real: float
    new_ready: bool
    """Every new instance of the stage answers."""
    old_ready: bool
    """So does every old one that was started anew."""
    leaving: bool
    """Some instance is still on its way out."""
    alarms: Mapping[str, str]
    """States by name."""


def next_step(endpoint: Endpoint, facts: Facts) -> Outcome | None:
    rollout = endpoint.rollout
    assert rollout is not None and endpoint.serving is not None and endpoint.pending is not None
    return _back(endpoint, rollout, facts) if rollout.is_back else _forward(endpoint, rollout, facts)


def turn_round(endpoint: Endpoint, reason: str, now: float, real: float) -> Event:
    """The way back begins."""
    rollout, serving, pending = endpoint.rollout, endpoint.serving, endpoint.pending
    assert rollout is not None and serving is not None and pending is not None
    up = pending.first(rollout.stage.new)
    share = rollout.share or dict.fromkeys(rollout.stage.share, 0.0)
    stages = stages_back(rollout.policy, serving.counts, serving.planned, up.counts, share)
    reason = reason[:REASON_CHARACTERS_MAX]
    turned = rollout._replace(stages=tuple(stages), at=0, reason=reason)
    changes = _enter_stage(endpoint, turned, now, real, deletes=False)
    return Event(machine.ROLL_BACK, changes, reason)


def arrive(endpoint: Endpoint, fleet: Fleet, real: float) -> Event:
    """``fleet`` serves from here on; what it does not keep of the old one leaves."""
    changes = {
        "serving": fleet.document(),
        "pending": None,
        "rollout": None,
        "instances": _leaving(endpoint, set(fleet.instances), real),
    }
    return Event(machine.HEALTHY, changes)


def give_up(endpoint: Endpoint, answering: set[str], reason: str, real: float) -> Event:
    """The way back is barred too: what answers of both fleets serves together, until another update is asked for."""
    rollout, serving, pending = endpoint.rollout, endpoint.serving, endpoint.pending
    assert rollout is not None and serving is not None and pending is not None
    barred = set(rollout.restored) - answering
    shared = {variant.plan.name: variant.instances for variant in pending.first(rollout.on or {}).variants}
    mixed = replace(
        serving,
        variants=tuple(
            replace(
                variant,
                instances=(
                    *(id for id in variant.instances if id not in barred),
                    *shared.get(variant.plan.name, ()),
                ),
            )
            for variant in serving.variants
        ),
    )
    changes = {
        "serving": mixed.document(),
        "pending": None,
        "rollout": None,
        "instances": _leaving(endpoint, set(mixed.instances), real),
    }
    return Event(machine.UNHEALTHY, changes, f"{rollout.reason} {reason}"[:REASON_CHARACTERS_MAX])


def _forward(endpoint: Endpoint, rollout: Rollout, facts: Facts) -> Outcome | None:
    if rollout.deadline is not None and facts.now >= rollout.deadline:
        seconds = rollout.policy.timeout_seconds
        reason = f"The deployment exceeded its maximum execution time of {seconds} seconds."
        return turn_round(endpoint, reason, facts.now, facts.real)
    if rollout.is_shared and (ringing := [name for name, state in facts.alarms.items() if state == RINGING]):
        reason = f"The deployment was rolled back by CloudWatch alarm {', '.join(ringing)}."
        return turn_round(endpoint, reason, facts.now, facts.real)
    if rollout.phase == DELETING:
        return Wait(LEAVING_LOOK_SECONDS) if facts.leaving else _progressed(rollout.enters(_up(rollout), facts.now))
    if not facts.new_ready:
        return None
    if rollout.phase == CREATING:
        return _progressed(rollout.enters(ACTIVATING, facts.now))
    if rollout.phase == ACTIVATING and rollout.stage.watched_seconds:
        return _progressed(rollout.enters(BAKING, facts.now))
    if rollout.until is None or facts.now >= rollout.until:
        return _next_stage(endpoint, rollout, facts)
    until = rollout.until if rollout.deadline is None else min(rollout.until, rollout.deadline)
    return Wait(LEAVING_LOOK_SECONDS if facts.leaving else None, until=until)


def _next_stage(endpoint: Endpoint, rollout: Rollout, facts: Facts) -> Event:
    assert endpoint.pending is not None
    if rollout.at + 1 == len(rollout.stages):
        return arrive(endpoint, endpoint.pending, facts.real)
    further = rollout._replace(at=rollout.at + 1)
    return Event(machine.PROGRESSED, _enter_stage(endpoint, further, facts.now, facts.real))


def _back(endpoint: Endpoint, rollout: Rollout, facts: Facts) -> Outcome | None:
    assert endpoint.pending is not None
    if rollout.at >= len(rollout.stages):
        if any(id in endpoint.instances for id in endpoint.pending.instances):
            return Wait(LEAVING_LOOK_SECONDS)
        return Event(machine.ROLLED_BACK, {"pending": None, "rollout": None}, rollout.reason)
    if rollout.phase == DELETING:
        return Wait(LEAVING_LOOK_SECONDS) if facts.leaving else _progressed(rollout.enters(CREATING, facts.now))
    if rollout.phase == CREATING:
        return _progressed(rollout.enters(ACTIVATING, facts.now)) if facts.old_ready else None
    further = rollout._replace(at=rollout.at + 1)
    if further.at < len(rollout.stages):
        return Event(machine.PROGRESSED, _enter_stage(endpoint, further, facts.now, facts.real))
    leaving = {id: {"leaving_at": facts.real} for id in endpoint.pending.instances if id in endpoint.instances}
    return Event(
        machine.PROGRESSED, {"rollout": [further.enters(DELETING, facts.now).document()], "instances": leaving}
    )


def _enter_stage(
    endpoint: Endpoint, rollout: Rollout, now: float, real: float, *, deletes: bool = True
) -> dict[str, Any]:
    """Changes that begin ``rollout``'s stage: what is beyond it leaves; back, what is missing of it is added."""
    serving, pending = endpoint.serving, endpoint.pending
    assert serving is not None and pending is not None
    stage = rollout.stage
    old, added = fill(serving.first(stage.old), stage.old if rollout.is_back else {})
    new = pending.first(stage.new) if rollout.is_back else pending
    leaving = _leaving(endpoint, {*old.instances, *new.instances}, real)
    restored = tuple(dict.fromkeys((*rollout.restored, *added)))
    up = (CREATING if added else ACTIVATING) if rollout.is_back else _up(rollout)
    began = rollout._replace(restored=restored).enters(DELETING if leaving and deletes else up, now)
    return {
        "serving": old.document(),
        "pending": new.document(),
        "rollout": [began.document()],
        "instances": {**{id: instance.document() for id, instance in added.items()}, **leaving},
    }


def _up(rollout: Rollout) -> str:
    """The phase in which a stage forward gets its instances: none where it has them all."""
    has_more = rollout.at == 0 or rollout.stage.new != rollout.stages[rollout.at - 1].new
    return CREATING if has_more else ACTIVATING


def _leaving(endpoint: Endpoint, kept: set[str], real: float) -> dict[str, Any]:
    """Changes that take the others off their way; those that are leaving already go on."""
    instances: Mapping[str, Instance] = endpoint.instances
    return {id: {"leaving_at": real} for id, each in instances.items() if id not in kept and each.leaving_at is None}


def _progressed(rollout: Rollout) -> Event:
    return Event(machine.PROGRESSED, {"rollout": [rollout.document()]})
