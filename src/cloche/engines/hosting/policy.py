"""How an update is to be guarded, as plain values, and the stages it comes to: which instances are up, which of them
get requests, for how long that is watched. Pure arithmetic; ``rollout`` says where an update is in its stages.

    blue/green   the whole new fleet comes up beside the old one, which stays until the last stage is over
    rolling      so many new instances come up, then as many old ones go, and again

Sources of the rules: docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-canary.html,
…-blue-green-linear.html, …-blue-green-all-at-once.html and …-rolling.html. AWS gives requests to instances; here a
size in percent is that share of the requests, to the request, and of the instances it is as many as cover it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ALL_AT_ONCE: Final = "ALL_AT_ONCE"
CANARY: Final = "CANARY"
LINEAR: Final = "LINEAR"
ROLLING: Final = "ROLLING"

WAIT_INTERVAL: Final = "WaitIntervalInSeconds"
TERMINATION_WAIT: Final = "TerminationWaitInSeconds"
REST_PERCENT: Final = 1
"""What is left over after whole steps and is no more than this goes with the last: 33 % of three instances is one."""

Counts = Mapping[str, int]
"""Instances of each variant, by its name."""


class Size(NamedTuple):
    """A part of a variant's instances."""

    value: int
    is_percent: bool

    def share(self, count: int) -> float:
        """Of the requests; of a variant with ``count`` instances."""
        return min(1.0, self.value / 100 if self.is_percent else self.value / max(count, 1))

    def instances(self, count: int) -> int:
        """As many as a batch may have: whole ones, at least one."""
        return min(count, max(1, count * self.value // 100) if self.is_percent else self.value)


class Policy(NamedTuple):
    kind: str
    size: Size | None = None
    """Of the canary, of a linear step, of a batch."""
    wait_seconds: int = 0
    """For which a stage that is not the last is watched."""
    termination_seconds: int = 0
    """For which the last stage of a blue/green update is watched."""
    rollback_size: Size | None = None
    """Of the batches in which a rolling update goes back; ``None``: all at once."""
    timeout_seconds: int | None = None
    alarms: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        size, back = self.size, self.rollback_size
        return {**self._asdict(), "size": size and size._asdict(), "rollback_size": back and back._asdict()}

    @staticmethod
    def of(document: Mapping[str, Any]) -> Policy:
        sizes = {name: Size(**document[name]) for name in ("size", "rollback_size") if document[name] is not None}
        return Policy(**{**document, **sizes, "alarms": tuple(document["alarms"])})


class Stage(NamedTuple):
    """``old`` and ``new`` instances are up; of the new ones ``on`` get ``share`` of their variant's requests."""

    old: Counts
    new: Counts
    on: Counts
    share: Mapping[str, float]
    watched_seconds: int = 0
    watched_for: str = WAIT_INTERVAL
    """The member that says how long."""
    called: str = ""
    """What AWS's messages call its capacity: ``canary`` or ``full``; empty for what lies between."""

    def document(self) -> dict[str, Any]:
        return self._asdict()

    @staticmethod
    def of(document: Mapping[str, Any]) -> Stage:
        return Stage(**document)


def stages_of(policy: Policy, old: Counts, new: Counts) -> list[Stage]:
    """The way from a fleet of ``old`` instances to one of ``new``."""
    if policy.kind == ROLLING:
        return _rolling(policy, old, new)
    shares = _shares(policy, new)
    return [_blue_green(policy, old, new, share, share is shares[-1]) for share in shares]


def stages_back(policy: Policy, old: Counts, whole: Counts, new: Counts, share: Mapping[str, float]) -> list[Stage]:
    """The way back to a fleet of ``whole``, of which ``old`` are left, while ``share`` of the requests goes to ``new``.

    Nothing is watched on it. The new instances that are not in a stage go before it begins.
    """
    size = policy.rollback_size if policy.kind == ROLLING else None
    nothing = dict.fromkeys(share, 0.0)
    none = dict.fromkeys(new, 0)
    stages: list[Stage] = []
    up, on = dict(old), dict(new)
    while size is not None and any(up.get(name, 0) + size.instances(n) < n for name, n in whole.items()):
        up = {name: min(n, up.get(name, 0) + size.instances(n)) for name, n in whole.items()}
        left = {name: min(part, 1 - up.get(name, 0) / max(whole.get(name, 1), 1)) for name, part in share.items()}
        after = {name: min(n, math.ceil(left.get(name, 0.0) * n)) for name, n in new.items()}
        stages.append(Stage(up, on, after, left))
        on = after
    stages.append(Stage(whole, on, none, nothing))
    return stages


def watched_seconds(stages: list[Stage]) -> int:
    return sum(stage.watched_seconds for stage in stages)


def _shares(policy: Policy, new: Counts) -> list[dict[str, float]]:
    """Of the new fleet, stage by stage; the last is all."""
    everything = dict.fromkeys(new, 1.0)
    if policy.size is None:
        return [everything]
    step = {name: policy.size.share(count) for name, count in new.items()}
    if policy.kind == CANARY:
        return [step, everything]
    whole = 1 - REST_PERCENT / 100
    times = max((math.ceil(whole / part - 1e-9) for part in step.values()), default=1)
    return [*({name: min(1.0, part * at) for name, part in step.items()} for at in range(1, times)), everything]


def _blue_green(policy: Policy, old: Counts, new: Counts, share: dict[str, float], last: bool) -> Stage:
    on = {name: math.ceil(share[name] * count - 1e-9) for name, count in new.items()}
    shares = {**dict.fromkeys(old, 1.0 if last else 0.0), **share}
    if last:
        return Stage(old, new, on, shares, policy.termination_seconds, TERMINATION_WAIT, "full")
    return Stage(old, new, on, shares, policy.wait_seconds, called="canary" if policy.kind == CANARY else "")


def _rolling(policy: Policy, old: Counts, new: Counts) -> list[Stage]:
    assert policy.size is not None
    batch = {name: policy.size.instances(count) for name, count in new.items()}
    stages: list[Stage] = []
    up, left, done = dict.fromkeys(new, 0), dict(old), False
    while not done:
        up = {name: min(count, up[name] + batch[name]) for name, count in new.items()}
        done = up == dict(new)
        share = {name: up[name] / count if count else 1.0 for name, count in new.items()}
        shares = {**dict.fromkeys(old, 1.0), **share}
        stages.append(Stage(left, up, up, shares, policy.wait_seconds, called="full" if done else ""))
        left = {name: math.ceil((1 - shares[name]) * count - 1e-9) for name, count in old.items()}
    return stages
