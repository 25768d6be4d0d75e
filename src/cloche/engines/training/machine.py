"""The life of a training job.

    Submitted ──► Pending ──► Starting ──► Downloading ──► Training ──► Uploading ──► Completed
        └────────────────────────┘│             │             │            │ │ ├────► MaxRuntimeExceeded
                                  ▼             ▼             │            │ └──────► Failed
                                Failed        Failed          ▼            ▼
                     (from all of these, on StopAsked)     Stopping ───► Saving ────► Stopped

``Pending`` is only entered when all places are taken. ``Saving`` is the upload of what a stopped job left. From
every active state ``Broken`` leads to ``Failed``.

Statuses: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html (SecondaryStatus and its
StatusMessage). Messages: logs of real jobs, as in aws/amazon-sagemaker-examples#1740 and in the notebooks there.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "training-job"


class State(Enum):
    """Value: AWS's TrainingJobStatus, its SecondaryStatus, and the message of the transition."""

    Submitted = ("InProgress", "Starting", "Starting the training job")
    Pending = ("InProgress", "Pending", "Training job waiting for capacity")
    Starting = ("InProgress", "Starting", "Preparing the instances for training")
    Downloading = ("InProgress", "Downloading", "Downloading input data")
    Training = ("InProgress", "Training", "Training image download completed. Training in progress.")
    Uploading = ("InProgress", "Uploading", "Uploading generated training model")
    Stopping = ("Stopping", "Stopping", "Stopping the training job")
    Saving = ("Stopping", "Uploading", "Uploading generated training model")
    Completed = ("Completed", "Completed", "Training job completed")
    Failed = ("Failed", "Failed", "Training job failed")
    Stopped = ("Stopped", "Stopped", "Training job stopped")
    MaxRuntimeExceeded = (
        "Stopped",
        "MaxRuntimeExceeded",
        "Training job runtime exceeded MaxRuntimeInSeconds provided",
    )

    @property
    def status(self) -> str:
        return self.value[0]

    @property
    def secondary_status(self) -> str:
        return self.value[1]

    @property
    def message(self) -> str:
        return self.value[2]

    @property
    def is_terminal(self) -> bool:
        return self.name in LIFECYCLE.terminal


QUEUED: Final = "Queued"
ADMITTED: Final = "Admitted"
ENVIRONMENT_READY: Final = "EnvironmentReady"
PROCESS_STARTED: Final = "ProcessStarted"
PROCESS_ENDED: Final = "ProcessEnded"
STORED: Final = "Stored"
STORED_AFTER_FAILURE: Final = "StoredAfterFailure"
STORED_AFTER_MAX_RUNTIME: Final = "StoredAfterMaxRuntime"
GAVE_UP: Final = "GaveUp"
STOP_ASKED: Final = "StopAsked"

BEFORE_THE_PROCESS: Final = ("Submitted", "Pending", "Starting", "Downloading")
PLACED: Final = frozenset({"Starting", "Downloading", "Training", "Stopping", "Uploading", "Saving"})
"""States in which a job holds one of the places there are."""

_WAY = {
    ("Submitted", QUEUED): "Pending",
    ("Submitted", ADMITTED): "Starting",
    ("Pending", ADMITTED): "Starting",
    ("Starting", ENVIRONMENT_READY): "Downloading",
    ("Downloading", PROCESS_STARTED): "Training",
    ("Training", PROCESS_ENDED): "Uploading",
    ("Uploading", STORED): "Completed",
    ("Uploading", STORED_AFTER_FAILURE): "Failed",
    ("Uploading", STORED_AFTER_MAX_RUNTIME): "MaxRuntimeExceeded",
    ("Stopping", PROCESS_ENDED): "Saving",
    ("Uploading", STOP_ASKED): "Saving",
    ("Saving", STORED): "Stopped",
    ("Saving", STORED_AFTER_FAILURE): "Stopped",
    ("Saving", STORED_AFTER_MAX_RUNTIME): "Stopped",
}
_ENDS = frozenset({"Completed", "Failed", "Stopped", "MaxRuntimeExceeded"})
_ACTIVE = tuple(state.name for state in State if state.name not in _ENDS)

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="Submitted",
    table=_WAY
    | {(state, STOP_ASKED): "Stopping" for state in (*BEFORE_THE_PROCESS, "Training")}
    | {(state, GAVE_UP): "Failed" for state in ("Starting", "Downloading", "Uploading")}
    | {("Saving", GAVE_UP): "Stopped"}
    | {(state, BROKEN): "Failed" for state in _ACTIVE},
    terminal=_ENDS,
)
