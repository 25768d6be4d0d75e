"""Buses and archives as targets: what EventBridge delivers to itself, in the transaction of the delivery.

A rule hands the event on as it was. The Scheduler and pipes make a new one, of a detail, with the source and type that
their parameters name.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cloche.engines.events.archives import Archives
from cloche.engines.events.bus_policies import BusPolicies
from cloche.engines.events.delivery import Parcel
from cloche.engines.events.happening import Happening
from cloche.engines.events.rules import Bus
from cloche.foundation.errors import Denied, Invalid


class BusTarget:
    in_transaction = True

    def __init__(
        self,
        accept: Callable[..., int],
        envelope: Callable[[Bus, Happening], dict[str, Any]],
        archives: Archives,
        policies: BusPolicies,
    ) -> None:
        self._accept, self._envelope, self._archives, self._policies = accept, envelope, archives, policies

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        assert tx is not None
        _, _, _, region, account, resource = parcel.arn.split(":", 5)
        if resource.startswith("archive/"):
            self._archives.keep(tx, parcel.arn, parcel.event)
            return
        bus = (account, region, resource.removeprefix("event-bus/"))
        if not self._policies.let_in(tx, bus, parcel.account, parcel.rule_arn):
            raise Denied(f"The policy of {parcel.arn} does not let {parcel.account} put events on it.")
        said = parcel.target.get("EventBridgeParameters")
        if said is None:
            self._accept(tx, bus, parcel.event, from_a_bus=True)
        else:
            self._accept(tx, bus, self._envelope(bus, _happening(parcel, said)))


def _happening(parcel: Parcel, said: Mapping[str, Any]) -> Happening:
    try:
        detail = json.loads(parcel.payload)
    except (ValueError, RecursionError):
        detail = None
    if not isinstance(detail, dict):
        raise Invalid("The input of an event bus must be a JSON object: it is the detail of the event.")
    try:
        at = datetime.fromisoformat(said["Time"]).timestamp() if said.get("Time") else None
    except ValueError:
        raise Invalid("Time must lead to a date and time in ISO 8601.") from None
    return Happening(said["Source"], said["DetailType"], detail, tuple(said.get("Resources") or ()), at)
