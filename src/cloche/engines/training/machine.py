"""The life of a training job.

    Submitted ──► Pending ──► Starting ──► Downloading ──► Training ──► Uploading ──► Completed
        └────────────────────────┘│             │             │            │ │ ├────► MaxRuntimeExceeded
                                  ▼             ▼             │            │ └──────► Failed
                                Failed        Failed          ▼            ▼
                     (from all of these, on StopAsked)     Stopping ───► Saving ────► Stopped

    Training ──InterruptAsked──► Interrupting ──► Interrupted ──► Starting      (managed spot training)
    Starting, Downloading, Uploading ──Retried──► Retrying ──► Starting         (a failure of ours, RetryStrategy)
    Submitted, Pending, Interrupted, Retrying, Uploading ──► MaxWaitTimeExceeded

``Pending`` is only entered when all places are taken. ``Interrupting`` is the time between the notice and the end of
the process; the status that clients see changes with that end. ``Saving`` is the upload of what a stopped job left.
From every active state ``Broken`` leads to ``Failed``.

Statuses: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html (SecondaryStatus) and
API_SecondaryStatusTransition.html (the messages of ``Interrupted`` and ``Retrying``). Other messages: logs of real
jobs, as in aws/amazon-sagemaker-examples#1740 and in the notebooks there; that of ``Interrupting`` is Cloche's own.
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
    Interrupting = ("InProgress", "Training", "The managed spot training instances have been given notice")
    Interrupted = ("InProgress", "Interrupted", "The managed spot training instances were interrupted")
    Retrying = ("InProgress", "Starting", "Launched instance was unhealthy, replacing it!")
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
    MaxWaitTimeExceeded = (
        "Stopped",
        "MaxWaitTimeExceeded",
        "Training job wait time exceeded MaxWaitTimeInSeconds provided",
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
STORED_AFTER_MAX_WAIT: Final = "StoredAfterMaxWait"
WAITED_TOO_LONG: Final = "WaitedTooLong"
INTERRUPT_ASKED: Final = "InterruptAsked"
INTERRUPTED: Final = "Interrupted"
RETRIED: Final = "Retried"
GAVE_UP: Final = "GaveUp"
STOP_ASKED: Final = "StopAsked"

WAITING: Final = ("Submitted", "Pending", "Interrupted", "Retrying")
"""Without a place; an interrupted job asks for one once there is capacity again."""
BEFORE_THE_PROCESS: Final = (*WAITING, "Starting", "Downloading")
PLACED: Final = frozenset({"Starting", "Downloading", "Training", "Interrupting", "Stopping", "Uploading", "Saving"})
"""States in which a job holds one of the places there are."""
AWAY: Final = frozenset({"Interrupted"})
"""There is no capacity for it yet."""

_WAY = {
    ("Submitted", QUEUED): "Pending",
    ("Starting", ENVIRONMENT_READY): "Downloading",
    ("Downloading", PROCESS_STARTED): "Training",
    ("Training", PROCESS_ENDED): "Uploading",
    ("Uploading", STORED): "Completed",
    ("Uploading", STORED_AFTER_FAILURE): "Failed",
    ("Uploading", STORED_AFTER_MAX_RUNTIME): "MaxRuntimeExceeded",
    ("Uploading", STORED_AFTER_MAX_WAIT): "MaxWaitTimeExceeded",
    ("Interrupting", INTERRUPTED): "Interrupted",
    ("Stopping", PROCESS_ENDED): "Saving",
    ("Uploading", STOP_ASKED): "Saving",
    ("Saving", STORED): "Stopped",
    ("Saving", STORED_AFTER_FAILURE): "Stopped",
    ("Saving", STORED_AFTER_MAX_RUNTIME): "Stopped",
    ("Saving", STORED_AFTER_MAX_WAIT): "Stopped",
}
_ENDS = frozenset({"Completed", "Failed", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"})
_ACTIVE = tuple(state.name for state in State if state.name not in _ENDS)

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="Submitted",
    table=_WAY
    | {(state, ADMITTED): "Starting" for state in WAITING}
    | {(state, WAITED_TOO_LONG): "MaxWaitTimeExceeded" for state in WAITING}
    | {(state, INTERRUPT_ASKED): "Interrupting" for state in ("Starting", "Downloading", "Training")}
    | {(state, RETRIED): "Retrying" for state in ("Starting", "Downloading", "Uploading")}
    | {(state, STOP_ASKED): "Stopping" for state in (*BEFORE_THE_PROCESS, "Training", "Interrupting")}
    | {(state, GAVE_UP): "Failed" for state in ("Starting", "Downloading", "Interrupting", "Uploading")}
    | {("Saving", GAVE_UP): "Stopped"}
    | {(state, BROKEN): "Failed" for state in _ACTIVE},
    terminal=_ENDS,
)
