"""The life of a processing job.

    Submitted ──► Pending ──► Starting ──► Processing ──► Completed
        └──────────────────────► │            │  └──────► Failed
         (from these three, on StopAsked)     ▼  └──────► MaxRuntimeExceeded
                                 └───────► Stopping ────► Stopped

``Pending`` is only entered when all places are taken, ``Starting`` only after it: a job that finds a place at once is
started in the same step, for every state is a wait for the disk. What a process leaves is stored while the job is still
``Processing``, so its end is one step too. From every active state ``Broken`` leads to ``Failed``.

AWS knows five statuses and tells no more of the way:
docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeProcessingJob.html. A job that was stopped because of
``MaxRuntimeInSeconds`` is ``Stopped`` ("the processing job is stopped", API_ProcessingStoppingCondition).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "processing-job"
MARK: Final = "processing-"
"""Every process and folder of this engine begins so."""


class State(Enum):
    """Value: AWS's ProcessingJobStatus, and what a person is told."""

    Submitted = ("InProgress", "Starting the processing job")
    Pending = ("InProgress", "Waiting for a place on this machine")
    Starting = ("InProgress", "Preparing the environment and the inputs")
    Processing = ("InProgress", "Processing")
    Stopping = ("Stopping", "Stopping the processing job")
    Completed = ("Completed", "Processing job completed")
    Failed = ("Failed", "Processing job failed")
    Stopped = ("Stopped", "Processing job stopped")
    MaxRuntimeExceeded = ("Stopped", "Processing job runtime exceeded MaxRuntimeInSeconds provided")

    @property
    def status(self) -> str:
        return self.value[0]

    @property
    def message(self) -> str:
        return self.value[1]

    @property
    def is_terminal(self) -> bool:
        return self.name in LIFECYCLE.terminal


QUEUED: Final = "Queued"
ADMITTED: Final = "Admitted"
PROCESS_STARTED: Final = "ProcessStarted"
DONE: Final = "Done"
FAILED: Final = "Failed"
RAN_TOO_LONG: Final = "RanTooLong"
STOP_ASKED: Final = "StopAsked"
STOPPED: Final = "Stopped"

WAITING: Final = frozenset({"Submitted", "Pending"})
"""Without a place."""
PLACED: Final = frozenset({"Starting", "Processing", "Stopping"})
"""States in which a job holds one of the places there are."""
_BEFORE: Final = ("Submitted", "Pending", "Starting")

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="Submitted",
    table={
        ("Submitted", QUEUED): "Pending",
        ("Pending", ADMITTED): "Starting",
        ("Submitted", PROCESS_STARTED): "Processing",
        ("Starting", PROCESS_STARTED): "Processing",
        ("Processing", DONE): "Completed",
        ("Processing", RAN_TOO_LONG): "MaxRuntimeExceeded",
        ("Stopping", STOPPED): "Stopped",
    }
    | {(state, FAILED): "Failed" for state in (*_BEFORE, "Processing")}
    | {(state, STOP_ASKED): "Stopping" for state in (*_BEFORE, "Processing")}
    | {(state, BROKEN): "Failed" for state in (*_BEFORE, "Processing", "Stopping")},
    terminal=frozenset({"Completed", "Failed", "Stopped", "MaxRuntimeExceeded"}),
)
