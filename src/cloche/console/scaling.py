"""Auto scaling: targets with their policies, schedules and activities; and of an endpoint, how its instances went."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.pages import Pages

SERVICE: Final = "application-autoscaling"
ALL: Final = {"ServiceNamespace": "sagemaker"}
_SET: Final = re.compile(r"Setting desired .* to (\d+)\.")


class ScalingPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [Route("/_cloche/scaling", self.index)]

    async def index(self, request: Request) -> Response:
        targets, policies, actions, activities = await ask_all(
            self._ask(SERVICE, "DescribeScalableTargets", ALL),
            self._ask(SERVICE, "DescribeScalingPolicies", ALL),
            self._ask(SERVICE, "DescribeScheduledActions", ALL),
            self._ask(SERVICE, "DescribeScalingActivities", {**ALL, "IncludeNotScaledActivities": True}),
        )
        return self._pages.show(
            "_scaling.html" if "hx-request" in request.headers else "scaling.html",
            targets=targets["ScalableTargets"],
            policies=[{**each, "wish": wish(each)} for each in policies["ScalingPolicies"]],
            actions=actions["ScheduledActions"],
            activities=activities["ScalingActivities"],
        )


def wish(policy: Members) -> str:
    """What a policy does, in a line: ``InvocationsPerInstance at 70`` or ``from 0: +1, from 50: +2``."""
    tracked = policy.get("TargetTrackingScalingPolicyConfiguration")
    if tracked:
        predefined, custom = tracked.get("PredefinedMetricSpecification"), tracked.get("CustomizedMetricSpecification")
        metric = predefined["PredefinedMetricType"] if predefined else custom.get("MetricName") or "an expression"
        return f"{metric} at {tracked['TargetValue']:g}"
    config = policy["StepScalingPolicyConfiguration"]
    sign, unit = {
        "ChangeInCapacity": ("+", ""),
        "PercentChangeInCapacity": ("+", " %"),
        "ExactCapacity": ("", ""),
    }[config["AdjustmentType"]]
    return ", ".join(_step(step, sign, unit) for step in config["StepAdjustments"])


def _step(step: Members, sign: str, unit: str) -> str:
    low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
    where = f"up to {high:g}" if low is None else f"from {low:g}"
    return f"{where}: {step['ScalingAdjustment']:{sign}d}{unit}"


async def scaling_of(ask: Ask, endpoint: str, components: Sequence[str], begin: datetime, end: datetime) -> Members:
    """What an endpoint's page shows: its targets, what was last done, and charts of desired and actual numbers."""
    found = await ask_or(ask, SERVICE, "DescribeScalableTargets", ALL, {"ScalableTargets": []})
    mine = {f"inference-component/{each}" for each in components}
    targets = [
        target
        for target in found["ScalableTargets"]
        if target["ResourceId"].startswith(f"endpoint/{endpoint}/") or target["ResourceId"] in mine
    ]
    histories = await asyncio.gather(
        *(
            ask_or(
                ask,
                SERVICE,
                "DescribeScalingActivities",
                {**ALL, "ResourceId": target["ResourceId"]},
                {"ScalingActivities": []},
            )
            for target in targets
        )
    )
    made = [
        chart(target["ResourceId"], history["ScalingActivities"], begin, end)
        for target, history in zip(targets, histories, strict=True)
    ]
    activities = [each for history in histories for each in history["ScalingActivities"]]
    return {
        "targets": targets,
        "activities": sorted(activities, key=lambda each: each["StartTime"], reverse=True)[:5],
        "charts": [each for each in made if each is not None],
    }


def chart(resource: str, activities: Sequence[Members], begin: datetime, end: datetime) -> dict[str, Any] | None:
    """Two staircases: what was wanted, from when it was; and what there was, from when it was reached. ``None`` where
    nothing was set in that time."""
    wanted: list[tuple[float, float]] = []
    had: list[tuple[float, float]] = []
    for activity in reversed(activities):
        setting = _SET.fullmatch(activity["Description"])
        if setting is None:
            continue
        count = float(setting[1])
        wanted.append((activity["StartTime"].timestamp(), count))
        if activity["StatusCode"] == "Successful":
            had.append((activity["EndTime"].timestamp(), count))
    first, last = begin.timestamp(), end.timestamp()
    moments = sorted({at for at, _ in (*wanted, *had) if first <= at <= last})
    if not moments:
        return None
    x = sorted({first, last, *moments, *(at - 0.001 for at in moments)})  # a step, and not a slope
    lines = [("desired", wanted), ("actual", had)]
    series = [{"label": label, "values": [_at(steps, moment) for moment in x]} for label, steps in lines]
    of = resource.split("/")[-1]
    return {"title": f"scaled, {of}", "x": x, "x_is": "time", "series": series}


def _at(steps: Sequence[tuple[float, float]], moment: float) -> float | None:
    return next((count for at, count in reversed(steps) if at <= moment), None)
