"""Lambda functions, really run: packages, versions, environments kept warm, invocations now and later.

``Functions`` is the face. ``registry`` is what is kept, ``packages`` the code; ``pools`` and ``environment`` are the
processes, ``invoking`` one event's way, ``events`` those that are done later, ``logbook`` and ``traffic`` what is told.
"""

from cloche.engines.functions.events import Outlets
from cloche.engines.functions.functions import Functions
from cloche.engines.functions.outcome import Event, Outcome, Throttled, Unready
from cloche.engines.functions.plan import (
    LATEST,
    Alias,
    Code,
    Configuration,
    EventConfig,
    LayerVersion,
    Owner,
    RevisionChanged,
    Version,
)
from cloche.engines.functions.schema import MIGRATIONS

__all__ = [
    "LATEST",
    "MIGRATIONS",
    "Alias",
    "Code",
    "Configuration",
    "Event",
    "EventConfig",
    "Functions",
    "LayerVersion",
    "Outcome",
    "Outlets",
    "Owner",
    "RevisionChanged",
    "Throttled",
    "Unready",
    "Version",
]
