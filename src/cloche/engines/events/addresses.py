"""Whom events may be addressed to: the ARNs that rules, schedules and pipes may name as a target, before anything is
there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cloche.foundation.errors import Invalid, NotSupported

_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "sagemaker": ("pipeline/", "pipelines"),
    "logs": ("log-group:", "log groups"),
    "events": ("event-bus/", "event buses"),
}
"""Of services that have more than one kind of thing: which of them takes events."""


def require_address(arn: str, account: str, region: str, taken: Collection[str]) -> str:
    """The service that takes what is sent to ``arn``, one of ``taken``. Raises ``Invalid`` for what is no ARN, and
    ``NotSupported`` for what Cloche delivers nothing to."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:2] != ["arn", "aws"] or not parts[5]:
        raise Invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    service, theirs, resource = parts[2], parts[4], parts[5]
    if service not in taken:
        raise NotSupported(f"Cloche delivers no events to {service} yet, only to: {', '.join(sorted(taken))}. ({arn})")
    if parts[3] != region and service != "events":
        raise NotSupported(f"Cloche delivers events within a region only; {arn} is in another.")
    kind = _KINDS.get(service)
    if kind is not None and not resource.startswith(kind[0]):
        raise NotSupported(f"Of {service} Cloche delivers events to {kind[1]} only, not to {arn}.")
    if kind is not None and theirs != account and service != "events":
        raise NotSupported(f"Cloche delivers events to {kind[1]} of the same account only, not to {arn}.")
    return service
