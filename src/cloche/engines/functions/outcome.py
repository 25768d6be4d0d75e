"""What comes of an invocation, and the documents of failures that the function itself cannot write.

Types and words: aws/aws-lambda-runtime-interface-emulator, and answers of AWS that users quote.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from cloche.compute.runtime import Ended, Observation


@dataclass(frozen=True, slots=True)
class Event:
    """What is asked of a function. ``arn`` is the one it was invoked by."""

    request: str
    payload: bytes
    arn: str
    client_context: str | None = None
    wants_log: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failed``: the payload is the document of an error. ``ms`` is what the function took."""

    request: str
    version: str
    payload: bytes
    failed: bool
    ms: float = 0.0
    log: bytes = b""


class Throttled(Exception):
    """No environment may be used for it now; ``reason`` is AWS's."""

    def __init__(self, reason: str = "ConcurrentInvocationLimitExceeded") -> None:
        super().__init__("Rate Exceeded.")
        self.reason = reason


class Unready(Exception):
    """The function is not (or no more) in a state to be invoked."""

    def __init__(self, state: str) -> None:
        super().__init__(
            "The operation cannot be performed at this time. The function is currently in the following state: " + state
        )


def timed_out(request: str, seconds: float) -> bytes:
    text = f"RequestId: {request} Error: Task timed out after {seconds:.2f} seconds"
    return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": text}).encode()


def exited(request: str, ending: str, *, memory_ran_out: bool) -> bytes:
    """``ending`` as ``ending_of`` tells it."""
    kind = "Runtime.OutOfMemory" if memory_ran_out else "Runtime.ExitError"
    text = f"RequestId: {request} Error: {_sentence(ending)}"
    return json.dumps({"errorType": kind, "errorMessage": text}).encode()


def exit_line(request: str, ending: str) -> str:
    return f"RequestId: {request} Error: {_sentence(ending)}\rRuntime.ExitError"


def _sentence(ending: str) -> str:
    return f"Runtime exited with error: {ending}" if ending else "Runtime exited without providing a reason"


def moment(at: float) -> str:
    """``2019-11-14T18:16:05.568Z``"""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


SIGNALS = {4: "illegal instruction", 6: "aborted", 8: "floating point exception", 9: "killed", 11: "segmentation fault"}
SIGNALS |= {7: "bus error", 15: "terminated"}


def ending_of(seen: Observation | None) -> str:
    """How a process ended, as Go's runtime words it; empty for an exit without error."""
    if not isinstance(seen, Ended) or seen.cause != "exited":
        return "signal: killed"
    if seen.signal is not None:
        return f"signal: {SIGNALS.get(seen.signal, seen.signal)}"
    return f"exit status {seen.exit_code}" if seen.exit_code else ""
