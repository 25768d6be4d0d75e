"""What Application Auto Scaling scales and reads: SageMaker's variants and components, CloudWatch's alarms."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cloche.engines.alarms import Alarms, rows
from cloche.engines.autoscaling import AutoScaling
from cloche.engines.autoscaling.dimensions import COMPONENT, VARIANT, Dimension
from cloche.engines.autoscaling.ports import Capacity
from cloche.foundation.api import Api, Behalf
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Change, Hint
from cloche.storage.metadata.database import Database

if TYPE_CHECKING:
    from cloche.engines.autoscaling.deciding import Reading

PRINCIPAL: Final = "sagemaker.application-autoscaling.amazonaws.com"
ENDPOINT_KIND: Final = "sagemaker/Endpoint"
COMPONENT_KIND: Final = "sagemaker/InferenceComponent"
DIMENSIONS: Final = {ENDPOINT_KIND: VARIANT, COMPONENT_KIND: COMPONENT}
IN_SERVICE: Final = "InService"
ACTIVE: Final = (IN_SERVICE, "Updating", "SystemUpdating", "RollingBack")


class HostedCapacities:
    """How many instances a variant has, or copies a component, as their records tell it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def read(self, connection: sqlite3.Connection, account: str, region: str, dimension: Dimension) -> Capacity | None:
        kind = ENDPOINT_KIND if dimension.name == VARIANT else COMPONENT_KIND
        record = records.find(connection, account, region, kind, dimension.parts[0])
        if record is None:
            return None
        variants = record.state.get("variants") or ()
        if dimension.name == VARIANT:
            found = next((each for each in variants if each["name"] == dimension.parts[1]), None)
            if found is None and variants:
                return None
            desired = 0 if found is None else found["desired_instance_count"]
        else:
            found = next(iter(variants), None)
            desired = record.request["RuntimeConfig"]["CopyCount"]
        return Capacity(
            current=0 if found is None else found["instance_count"],
            desired=desired,
            is_active=record.status in ACTIVE,
            is_scalable=record.status == IN_SERVICE,
            failure=record.state.get("failure") or "",
        )

    def scale(self, account: str, region: str, role: str, dimension: Dimension, capacity: int) -> None:
        behalf = Behalf(account, region, role, "AutoScaling-UpdateDesiredCapacity", PRINCIPAL)
        if dimension.name == VARIANT:
            endpoint, variant = dimension.parts
            wanted: list[dict[str, Any]] = [{"VariantName": variant, "DesiredInstanceCount": capacity}]
            asked: dict[str, Any] = {"EndpointName": endpoint, "DesiredWeightsAndCapacities": wanted}
            self._api.call(behalf, "sagemaker", "UpdateEndpointWeightsAndCapacities", asked)
        else:
            asked = {"InferenceComponentName": dimension.parts[0], "DesiredRuntimeConfig": {"CopyCount": capacity}}
            self._api.call(behalf, "sagemaker", "UpdateInferenceComponentRuntimeConfig", asked)


class ScalingAlarms:
    """The alarms that policies have, and those that people point at policies."""

    def __init__(self, alarms: Alarms, database: Database) -> None:
        self._alarms, self._database = alarms, database

    def put(
        self, tx: sqlite3.Connection, account: str, region: str, name: str, request: dict[str, Any], now: float
    ) -> str:
        arn = self._alarms.put(tx, account, region, name, request, now).arn
        self._database.after_commit(lambda: self._alarms.changed([arn]))
        return arn

    def remove(self, tx: sqlite3.Connection, arn: str, now: float) -> None:
        record = rows.find(tx, arn)
        if record is not None:
            self._alarms.remove(tx, record, now)
            self._database.after_commit(lambda: self._alarms.changed([arn]))

    def readings(self, arns: Sequence[str]) -> Mapping[str, Reading]:
        from cloche.engines.alarms.states import ACTIONS_OF
        from cloche.engines.autoscaling.deciding import Reading

        found: dict[str, Reading] = {}
        for arn in arns:
            seen = self._alarms.seen(arn)
            if seen is not None:
                record, points = seen
                request = record.request
                found[arn] = Reading(
                    name=record.name,
                    state=record.status,
                    is_acting=request.get("ActionsEnabled", True),
                    actions=frozenset(request.get(ACTIONS_OF[record.status]) or ()),
                    threshold=request.get("Threshold", 0.0),
                    is_upward=request["ComparisonOperator"].startswith("Greater"),
                    values=[point.value for point in points],
                )
        return found


class ScalingFollower:
    """Tells scaling what becomes of endpoints and components, in the transaction that moves its cursor."""

    def __init__(self, scaling: AutoScaling) -> None:
        self._scaling = scaling

    def follow(self, tx: sqlite3.Connection, changes: Sequence[Change]) -> None:
        for change in changes:
            dimension = DIMENSIONS.get(change.kind)
            if dimension is None:
                continue
            if change.what == "removed":
                again = records.find(tx, change.account, change.region, change.kind, change.name)
                before = math.inf if again is None else again.created_at
                self._scaling.resource_gone(tx, change.account, change.region, dimension, change.name, before)
            elif change.what == "status" and change.status == IN_SERVICE:
                self._scaling.resource_changed(tx, change.account, change.region, dimension, change.name)

    def heard(self, hints: Sequence[Hint]) -> None:
        if any(hint.kind in DIMENSIONS for hint in hints):
            self._scaling.look()
