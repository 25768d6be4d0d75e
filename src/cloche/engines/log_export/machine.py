"""The lifecycle of an export task, in the words of the API
(docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ExportTaskStatus.html)."""

from __future__ import annotations

from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "log-export"

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="PENDING",
    table={
        ("PENDING", "Begun"): "RUNNING",
        ("PENDING", "CancelAsked"): "PENDING_CANCEL",
        ("PENDING", BROKEN): "FAILED",
        ("RUNNING", "Exported"): "COMPLETED",
        ("RUNNING", "Failed"): "FAILED",
        ("RUNNING", "CancelAsked"): "PENDING_CANCEL",
        ("RUNNING", BROKEN): "FAILED",
        ("PENDING_CANCEL", "Cancelled"): "CANCELLED",
        ("PENDING_CANCEL", BROKEN): "FAILED",
    },
    terminal=frozenset({"COMPLETED", "FAILED", "CANCELLED"}),
)
