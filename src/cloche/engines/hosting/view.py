"""What an endpoint's record publishes of its row: enough for every description, computed in one transaction with it."""

from __future__ import annotations

from typing import Any, Final

from cloche.engines.hosting import machine, rollout
from cloche.engines.hosting.document import Endpoint, Fleet
from cloche.engines.hosting.rollout import Rollout
from cloche.lifecycle.machine import Item

UPDATING: Final = "Updating"


def view(item: Item) -> dict[str, Any]:
    """``configuration``, ``capture`` (a plan), ``variants`` and ``failure``; while another fleet is on its way also
    ``pending``.

    A variant is ``{name, image, weight, instance_count, desired_weight, desired_instance_count, resolved_at}`` and,
    while something is done for it, ``status``: ``{phase, message, at}``.
    """
    endpoint = Endpoint.of(item)
    serving, pending, now = endpoint.serving, endpoint.pending, endpoint.rollout
    shown = serving or pending
    scales = bool((item.data.get("pending") or {}).get("scales"))
    document: dict[str, Any] = {
        "capture": shown.capture.document() if shown and shown.capture else None,
        "configuration": shown.configuration if shown else "",
        "variants": _variants(serving, pending if scales else None, item) if serving else [],
        "failure": item.message or (now.reason if now else "") or None,
    }
    if pending is not None and not scales and item.state not in (machine.IN_SERVICE, machine.FAILED):
        document["pending"] = {
            "configuration": pending.configuration,
            "variants": _coming(pending, now, item),
            "started_at": item.entered_at if now is None else now.started_at,
        }
    return document


def _variants(fleet: Fleet, scaled: Fleet | None, item: Item) -> list[dict[str, Any]]:
    """Of the fleet that serves. ``scaled`` is the same with other counts and weights."""
    wanted = {variant.plan.name: variant.plan for variant in scaled.variants} if scaled else {}
    found = []
    for variant in fleet.variants:
        plan = variant.plan
        desired = wanted.get(plan.name, plan)
        current = plan.instance_count if plan.hosts_only else len(variant.instances)
        shown = {
            "name": plan.name,
            "image": plan.image,
            "weight": plan.weight,
            "instance_count": current,
            "desired_weight": desired.weight,
            "desired_instance_count": desired.instance_count,
            "resolved_at": item.entered_at,
        }
        if scaled is not None and desired.instance_count != current:
            how = "out" if desired.instance_count > current else "in"
            message = f"Scaling {how} desired instance count to {desired.instance_count}."
            shown["status"] = {"phase": UPDATING, "message": message, "at": item.entered_at}
        found.append(shown)
    return found


def _coming(fleet: Fleet, now: Rollout | None, item: Item) -> list[dict[str, Any]]:
    """Of the fleet that is to serve: its instances count when they get requests."""
    found = _variants(fleet, None, item)
    for shown, variant in zip(found, fleet.variants, strict=True):
        name, count = variant.plan.name, len(variant.instances)
        if now is None:
            status = {"phase": rollout.CREATING, "message": f"Launching {count} instance(s).", "at": item.entered_at}
            shown["instance_count"] = 0
        else:
            status = {"phase": now.phase, "message": rollout.message(now, name), "at": now.since}
            shown["instance_count"] = (now.on or {}).get(name, 0) if now.is_shared else 0
        shown["status"] = status
    return found
