"""``DeploymentConfig``: what is refused of one, and the policy it comes to.

The sizes' bounds are those of the model's own documentation ("less than or equal to 50% of the variant's total instance
count" for a canary, 10-50 % for a linear step, 5-50 % for a batch); AWS's words for their refusals are not published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cloche.aws.operation import Members
from cloche.engines.hosting import ALL_AT_ONCE, CANARY, LINEAR, ROLLING, Policy, Size, stages_of, watched_seconds
from cloche.foundation.errors import Invalid

_SIZES: Final = {CANARY: "CanarySize", LINEAR: "LinearStepSize"}
_PERCENT: Final = {"CanarySize": (1, 50), "LinearStepSize": (10, 50), "MaximumBatchSize": (5, 50)}

Counts = Mapping[str, int]


def policy_of(deployment: Members) -> Policy:
    """The policy that ``deployment`` asks for. Raises ``Invalid`` for what contradicts itself."""
    blue_green, rolling = deployment.get("BlueGreenUpdatePolicy"), deployment.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise _invalid("RollingUpdatePolicy", "only one update policy may be given, and BlueGreenUpdatePolicy is.")
    alarms = [each["AlarmName"] for each in (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms") or ()]
    if len(set(alarms)) < len(alarms):
        raise _invalid("AutoRollbackConfiguration.Alarms", "an alarm is named twice.")
    return _rolling(rolling, alarms) if rolling else _blue_green(blue_green or {}, alarms)


def check_against(policy: Policy, serving: Counts, new: Counts) -> None:
    """Raises ``Invalid`` where ``policy`` cannot lead from the one fleet to the other."""
    _check_time(policy, new)
    if policy.kind == ALL_AT_ONCE:
        return
    # docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
    if set(serving) != set(new):
        raise _invalid("", "the new endpoint configuration must have the variant names of the old one.")
    if policy.kind == ROLLING and len(new) > 1:
        raise _invalid("RollingUpdatePolicy", "an endpoint with several variants cannot be updated so.")
    assert policy.size is not None
    member = _SIZES.get(policy.kind, "MaximumBatchSize")
    low, high = _PERCENT[member]
    for name, count in new.items():
        percent = low if policy.size.is_percent or not count else 100 * policy.size.value / count
        if not low <= percent <= high:
            what = (
                f"{policy.size.value} of the {count} instance(s) of variant {name}; it must be {low}-{high}% of them."
            )
            raise _invalid(member, what)


_ROUTING: Final = "BlueGreenUpdatePolicy.TrafficRoutingConfiguration."


def _blue_green(asked: Members, alarms: Sequence[str]) -> Policy:
    routing = asked.get("TrafficRoutingConfiguration") or {}
    kind = routing.get("Type", ALL_AT_ONCE)
    for other, named in _SIZES.items():
        if routing.get(named) and other != kind:
            raise _invalid(named, f"it is for traffic routing {other}, not {kind}.", _ROUTING)
    member = _SIZES.get(kind)
    if member and not routing.get(member):
        raise _invalid(member, f"traffic routing {kind} needs it.", _ROUTING)
    return Policy(
        kind,
        _size(routing[member], member) if member else None,
        routing.get("WaitIntervalInSeconds", 0),
        asked.get("TerminationWaitInSeconds", 0),
        timeout_seconds=asked.get("MaximumExecutionTimeoutInSeconds"),
        alarms=tuple(alarms),
    )


def _rolling(asked: Members, alarms: Sequence[str]) -> Policy:
    back = asked.get("RollbackMaximumBatchSize")
    size = _size(back, "RollbackMaximumBatchSize", (1, 100)) if back else None
    return Policy(
        ROLLING,
        _size(asked["MaximumBatchSize"], "MaximumBatchSize"),
        asked["WaitIntervalInSeconds"],
        rollback_size=None if size is not None and size.is_percent and size.value == 100 else size,
        timeout_seconds=asked.get("MaximumExecutionTimeoutInSeconds"),
        alarms=tuple(alarms),
    )


def _size(asked: Members, member: str, bounds: tuple[int, int] | None = None) -> Size:
    value, is_percent = asked["Value"], asked["Type"] == "CAPACITY_PERCENT"
    low, high = bounds or _PERCENT[member]
    if is_percent and not low <= value <= high:
        raise _invalid(member, f"{value}% of the capacity; it must be {low}-{high}%.")
    return Size(value, is_percent)


def _check_time(policy: Policy, counts: Counts) -> None:
    """The model: "the timeout value should be larger than the total waiting time"."""
    if policy.timeout_seconds is None:
        return
    total = watched_seconds(stages_of(policy, counts, counts))
    if policy.timeout_seconds <= total:
        what = f"{policy.timeout_seconds} is not larger than the total waiting time, which is {total} seconds."
        raise _invalid("MaximumExecutionTimeoutInSeconds", what)


def _invalid(member: str, what: str, where: str = "") -> Invalid:
    named = f"DeploymentConfig.{where}{member}".rstrip(".")
    return Invalid(f"Invalid {named}: {what}", field=named)
