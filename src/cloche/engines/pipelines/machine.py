"""The life of an execution. Its steps have none of their own in the table: they are rows that it looks after.

    Executing ──► Succeeded | Failed | CompletedWithFailures
        └─StopAsked─► Stopping ──► Stopped | Failed

Statuses: docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipelineExecution.html. A stop ends in
``Failed`` where a function that could not be stopped ran out of time (pipelines-build: "Lambda step").
"""

from __future__ import annotations

from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "pipeline-execution"
EXECUTING, STOPPING = "Executing", "Stopping"
SUCCEEDED, FAILED, STOPPED, COMPLETED_WITH_FAILURES = "Succeeded", "Failed", "Stopped", "CompletedWithFailures"
STOP_ASKED: Final = "StopAsked"
ALL_DONE, STEPS_FAILED, STEPS_FAILED_CAUGHT, ALL_STOPPED = "AllDone", "StepsFailed", "StepsFailedCaught", "AllStopped"

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial=EXECUTING,
    table={
        (EXECUTING, ALL_DONE): SUCCEEDED,
        (EXECUTING, STEPS_FAILED): FAILED,
        (EXECUTING, STEPS_FAILED_CAUGHT): COMPLETED_WITH_FAILURES,
        (EXECUTING, STOP_ASKED): STOPPING,
        (STOPPING, ALL_STOPPED): STOPPED,
        (STOPPING, STEPS_FAILED): FAILED,
        (EXECUTING, BROKEN): FAILED,
        (STOPPING, BROKEN): FAILED,
    },
    terminal=frozenset({SUCCEEDED, FAILED, STOPPED, COMPLETED_WITH_FAILURES}),
)
