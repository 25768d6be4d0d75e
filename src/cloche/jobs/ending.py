"""How a job's process ended, and what ``FailureReason`` tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from cloche.compute.runtime import Ended, Lost, Observation
from cloche_jobs.contract.failure import REASON_CHARACTERS_MAX, failure_reason

INTERNAL: Final = "InternalServerError: We encountered an internal error. Please try again."
"""AWS's own words, as in aws/sagemaker-python-sdk#2013 and many more; what Cloche knows follows them."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process ended, as kept in the job's document."""

    cause: str
    """``exited``, ``stopped``, ``max_runtime``, ``limit_reached``, ``companion_failed``, ``companion_done``,
    ``not_started``, ``lost``;
    ``none``: never begun."""
    exit_code: int = 0
    """Negative: the signal's number."""
    message: str = ""
    host: int = 0
    """Whose it is, counted from 0."""
    started_at: float = 0.0
    seconds: float = 0.0
    """How long the process ran."""

    @property
    def is_success(self) -> bool:
        return self.cause == "exited" and self.exit_code == 0

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any] | None) -> Ending:
        return Ending("none") if data is None else Ending(**data)


def ending_of(observed: Observation | None) -> Ending:
    if observed is None:
        return Ending("none")
    if isinstance(observed, Lost):
        return Ending("lost", started_at=observed.started_at)
    assert isinstance(observed, Ended), observed
    code = -observed.signal if observed.signal is not None else observed.exit_code or 0
    seconds = observed.ended_at - observed.started_at
    return Ending(observed.cause, code, observed.message, observed.host, observed.started_at, seconds)


def reason(ending: Ending, *, work: str, own_entrypoint: bool, told: Callable[[int], str]) -> str | None:
    """``FailureReason``; ``None`` unless the process failed by itself.

    ``work`` is what it did (``training``), ``own_entrypoint`` whether the request named the program, ``told(host)``
    what the job left to say on that host.
    """
    if ending.cause == "exited":
        return None if ending.exit_code == 0 else failure_reason(told(ending.host), ending.exit_code)
    if ending.cause == "not_started":
        whose = "ClientError: The container's entry point" if own_entrypoint else f"{INTERNAL} (The {work} process"
        return f"{whose} could not be started: {ending.message}{'' if own_entrypoint else ')'}"
    if ending.cause == "lost":
        return f"{INTERNAL} (The process that watched over the {work} was killed; how the {work} ended is unknown.)"
    if ending.cause == "limit_reached":
        return f"AlgorithmError: {ending.message}, exit code: 137"
    if ending.cause == "companion_failed":
        return f"ClientError: Data download failed: {ending.message}"[:REASON_CHARACTERS_MAX]
    if ending.cause == "none":
        return f"{INTERNAL} (The {work} process is not there any more.)"
    return None
