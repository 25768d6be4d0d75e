"""What an endpoint's record publishes of its row: enough for every description, computed in one transaction with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloche.engines.hosting import machine
from cloche.lifecycle.machine import Item


def view(item: Item) -> dict[str, Any]:
    """``configuration``, ``capture`` (a plan), ``variants`` and ``failure``; during an update also ``pending``.

    A variant is ``{name, image, weight, instance_count, desired_weight, desired_instance_count, resolved_at}``.
    """
    serving, pending = item.data.get("serving"), item.data.get("pending")
    shown = serving or pending or {}
    capture = shown.get("capture")
    document: dict[str, Any] = {
        "capture": capture[0] if capture else None,
        "configuration": shown.get("configuration", item.data.get("asked", "")),
        "variants": _variants(serving, pending, item.entered_at) if serving else [],
        "failure": item.message or None,
    }
    if pending is not None and item.state in (machine.CREATING, machine.UPDATING):
        document["pending"] = {
            "configuration": pending["configuration"],
            "variants": _variants(pending, None, item.entered_at),
            "started_at": item.entered_at,
        }
    return document


def _variants(fleet: Mapping[str, Any], pending: Mapping[str, Any] | None, at: float) -> list[dict[str, Any]]:
    wanted = {variant["plan"]["name"]: variant["plan"] for variant in pending["variants"]} if pending else {}
    found = []
    for variant in fleet["variants"]:
        plan = variant["plan"]
        desired = wanted.get(plan["name"], plan)
        found.append(
            {
                "name": plan["name"],
                "image": plan["image"],
                "weight": plan["weight"],
                "instance_count": plan["instance_count"] if plan.get("hosts_only") else len(variant["instances"]),
                "desired_weight": desired["weight"],
                "desired_instance_count": desired["instance_count"],
                "resolved_at": at,
            }
        )
    return found
