"""The life of an execution.

    Pending ─NoData─► Failed
       ├─MergeStarted──► Merging ─AnalysisStarted─┐
       └─AnalysisStarted────────────────────────► Analyzing ─Done──► Completed
                          (from these two)            ├─Violated──► CompletedWithViolations
                           └─StopSeen─► Stopping      └─JobFailed─► Failed
                                           └─JobStopped─► Stopped

From every active state ``Broken`` leads to ``Failed``. Nobody stops an execution: its processing job is stopped
(API_StopProcessingJob), and the execution with it. Statuses: ExecutionStatus of the model.
"""

from __future__ import annotations

from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "monitoring-execution"
PENDING, MERGING, ANALYZING, STOPPING = "Pending", "Merging", "Analyzing", "Stopping"
COMPLETED, VIOLATED, FAILED, STOPPED = "Completed", "CompletedWithViolations", "Failed", "Stopped"
MERGE_STARTED: Final = "MergeStarted"
ANALYSIS_STARTED: Final = "AnalysisStarted"
STOP_SEEN: Final = "StopSeen"
HAS_VIOLATIONS: Final = "HasViolations"
DONE: Final = "Done"
HAS_FAILED: Final = "HasFailed"
JOB_STOPPED: Final = "JobStopped"

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial=PENDING,
    table={
        (PENDING, MERGE_STARTED): MERGING,
        (PENDING, ANALYSIS_STARTED): ANALYZING,
        (MERGING, ANALYSIS_STARTED): ANALYZING,
        (MERGING, STOP_SEEN): STOPPING,
        (ANALYZING, STOP_SEEN): STOPPING,
        (ANALYZING, DONE): COMPLETED,
        (ANALYZING, HAS_VIOLATIONS): VIOLATED,
        **{(state, JOB_STOPPED): STOPPED for state in (MERGING, ANALYZING, STOPPING)},
        **{(state, HAS_FAILED): FAILED for state in (PENDING, MERGING, ANALYZING, STOPPING)},
        **{(state, BROKEN): FAILED for state in (PENDING, MERGING, ANALYZING, STOPPING)},
    },
    terminal=frozenset({COMPLETED, VIOLATED, FAILED, STOPPED}),
)


def status_of(state: str) -> str:
    """MonitoringExecutionStatus."""
    return "InProgress" if state in (MERGING, ANALYZING) else state
