"""The states of a scaling activity, which are AWS's (API_ScalingActivity.html)."""

from __future__ import annotations

from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "application-autoscaling/ScalingActivity"

PENDING: Final = "Pending"
"""The service has not been asked yet, or is not to be asked at the moment."""
IN_PROGRESS: Final = "InProgress"
SUCCESSFUL: Final = "Successful"
OVERRIDDEN: Final = "Overridden"
UNFULFILLED: Final = "Unfulfilled"
FAILED: Final = "Failed"

ASKED: Final = "Asked"
REFUSED: Final = "Refused"
SUPERSEDED: Final = "Superseded"
REACHED: Final = "Reached"
MISSED: Final = "Missed"

ACTIVITY: Final = Lifecycle(
    kind=KIND,
    initial=PENDING,
    table={
        (PENDING, ASKED): IN_PROGRESS,
        (PENDING, REFUSED): FAILED,
        (PENDING, SUPERSEDED): OVERRIDDEN,
        (PENDING, BROKEN): FAILED,
        (IN_PROGRESS, REACHED): SUCCESSFUL,
        (IN_PROGRESS, MISSED): UNFULFILLED,
        (IN_PROGRESS, REFUSED): FAILED,
        (IN_PROGRESS, BROKEN): FAILED,
    },
    terminal=frozenset({SUCCESSFUL, OVERRIDDEN, UNFULFILLED, FAILED}),
)
