"""The life of a transform job.

    Submitted ──► Pending ──► Starting ──► Transforming ──► Uploading ──► Completed
        │            │           │  ▲           │  │            │
        └────────────┴───────────┤  └──Retried──┘  │            └──────► Failed
                                 ▼                 ▼
                               Failed           Stopping ──► Stopped

``Pending`` is only entered when all places are taken. A process whose watcher was killed is followed by another, which
goes on with the files that are not done: ``Retried``. A job that is stopped leaves no output (AWS: "doesn't store the
job's output in Amazon S3", API_StopTransformJob), so once it uploads it is too late to stop it.

Statuses: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTransformJob.html; there are no others.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "transform-job"


class State(Enum):
    """Value: a number of its own, and AWS's TransformJobStatus."""

    Submitted = (0, "InProgress")
    Pending = (1, "InProgress")
    Starting = (2, "InProgress")
    Transforming = (3, "InProgress")
    Uploading = (4, "InProgress")
    Stopping = (5, "Stopping")
    Completed = (6, "Completed")
    Failed = (7, "Failed")
    Stopped = (8, "Stopped")

    @property
    def status(self) -> str:
        return self.value[1]

    @property
    def is_terminal(self) -> bool:
        return self.name in LIFECYCLE.terminal


QUEUED: Final = "Queued"
ADMITTED: Final = "Admitted"
PROCESS_STARTED: Final = "ProcessStarted"
PROCESS_ENDED: Final = "ProcessEnded"
RETRIED: Final = "Retried"
STORED: Final = "Stored"
STORED_AFTER_FAILURE: Final = "StoredAfterFailure"
GAVE_UP: Final = "GaveUp"
STOP_ASKED: Final = "StopAsked"

WAITING: Final = frozenset({"Submitted", "Pending"})
PLACED: Final = frozenset({"Starting", "Transforming", "Uploading", "Stopping"})
_ENDS: Final = frozenset({"Completed", "Failed", "Stopped"})

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="Submitted",
    table={
        ("Submitted", QUEUED): "Pending",
        ("Submitted", ADMITTED): "Starting",
        ("Pending", ADMITTED): "Starting",
        ("Starting", PROCESS_STARTED): "Transforming",
        ("Transforming", PROCESS_ENDED): "Uploading",
        ("Transforming", RETRIED): "Starting",
        ("Uploading", STORED): "Completed",
        ("Uploading", STORED_AFTER_FAILURE): "Failed",
        ("Stopping", PROCESS_ENDED): "Stopped",
    }
    | {(state, GAVE_UP): "Failed" for state in ("Starting", "Uploading")}
    | {(state, STOP_ASKED): "Stopping" for state in ("Submitted", "Pending", "Starting", "Transforming")}
    | {(state.name, BROKEN): "Failed" for state in State if state.name not in _ENDS},
    terminal=_ENDS,
)
