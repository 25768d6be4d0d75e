"""The lifecycle of an export: make the environment ready, have the document rendered, put it into S3."""

from __future__ import annotations

from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "model-card-export"

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="Submitted",
    table={
        ("Submitted", "Started"): "Rendering",
        ("Submitted", "GaveUp"): "Failed",
        ("Submitted", BROKEN): "Failed",
        ("Rendering", "Rendered"): "Uploading",
        ("Rendering", "Again"): "Submitted",
        ("Rendering", "GaveUp"): "Failed",
        ("Rendering", BROKEN): "Failed",
        ("Uploading", "Stored"): "Completed",
        ("Uploading", "GaveUp"): "Failed",
        ("Uploading", BROKEN): "Failed",
    },
    terminal=frozenset({"Completed", "Failed"}),
)


def status_of(state: str) -> str:
    """In the words of the API (ModelCardExportJobStatus)."""
    return state if state in LIFECYCLE.terminal else "InProgress"
