"""The default bus, as the one that auto scaling tells when a capacity has reached its maximum.

Form: docs.aws.amazon.com/autoscaling/application/userguide/monitoring-eventbridge.html, the only event there is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.autoscaling.dimensions import NAMESPACE
from cloche.engines.events import Events, Happening
from cloche.engines.events.rules import DEFAULT_BUS
from cloche.foundation.clock import from_epoch, to_iso
from cloche.storage.metadata.records import Record

SOURCE: Final = "aws.application-autoscaling"
DETAIL_TYPE: Final = "Application Auto Scaling Scaling Activity State Change"


class ScalingEvents:
    """Owed in the transaction of what they tell; where no rule could match, nothing is made."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def scaled_to_max(
        self, tx: sqlite3.Connection, target: Record, activity: Mapping[str, Any], began_at: float, ended_at: float
    ) -> None:
        account, region, request = target.account, target.region, target.request
        if not self._events.is_wanted(tx, account, region, SOURCE, DETAIL_TYPE):
            return
        detail = {
            "startTime": to_iso(from_epoch(began_at)),
            "endTime": to_iso(from_epoch(ended_at)),
            "newDesiredCapacity": activity["to"],
            "oldDesiredCapacity": activity["from"],
            "minCapacity": request["MinCapacity"],
            "maxCapacity": request["MaxCapacity"],
            "resourceId": request["ResourceId"],
            "scalableDimension": request["ScalableDimension"],
            "serviceNamespace": NAMESPACE,
            "statusCode": "Successful",
            "scaledToMax": True,
            "direction": "scale-out",
        }
        bus = (account, region, DEFAULT_BUS)
        self._events.accept(tx, bus, self._events.envelope(bus, Happening(SOURCE, DETAIL_TYPE, detail)))
