"""The life of a tuning job.

    Running ──AllEnded──► Completed
       │ ├──Enough──► Winding ──AllEnded──► Completed      (a completion criterion: running trials are stopped)
       │ └──Hopeless──► Failing ──AllEnded──► Failed       (no trial succeeds)
       └──StopAsked──► Stopping ──AllEnded──► Stopped      (also from Winding)

From every active state ``Broken`` leads to ``Failed``. Statuses: HyperParameterTuningJobStatus in the API reference.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "hyper-parameter-tuning-job"
ALL_ENDED: Final = "AllEnded"
ENOUGH: Final = "Enough"
HOPELESS: Final = "Hopeless"
STOP_ASKED: Final = "StopAsked"


class State(Enum):
    Running = auto()
    Winding = auto()
    Failing = auto()
    Stopping = auto()
    Completed = auto()
    Failed = auto()
    Stopped = auto()

    @property
    def status(self) -> str:
        """HyperParameterTuningJobStatus."""
        return "InProgress" if self in (State.Running, State.Winding, State.Failing) else self.name

    @property
    def is_terminal(self) -> bool:
        return self.name in LIFECYCLE.terminal


LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="Running",
    table={
        ("Running", ALL_ENDED): "Completed",
        ("Running", ENOUGH): "Winding",
        ("Running", HOPELESS): "Failing",
        ("Running", STOP_ASKED): "Stopping",
        ("Winding", ALL_ENDED): "Completed",
        ("Winding", STOP_ASKED): "Stopping",
        ("Failing", ALL_ENDED): "Failed",
        ("Stopping", ALL_ENDED): "Stopped",
        **{(state, BROKEN): "Failed" for state in ("Running", "Winding", "Failing", "Stopping")},
    },
    terminal=frozenset({"Completed", "Failed", "Stopped"}),
)
