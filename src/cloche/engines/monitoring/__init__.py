"""Model Monitor: schedules whose executions are processing jobs over captured data.

``Monitoring`` is the face. ``times`` says when an execution falls due and which hours it looks at, ``definition`` what
it does, ``requests`` which processing jobs that makes; these are pure. ``captured`` finds the folders that hold data,
``driver`` carries an execution out, through the API like any client, ``alerts`` counts failures. What runs inside the
jobs is not known here.
"""

from cloche.engines.monitoring.alerts import Alert
from cloche.engines.monitoring.definition import (
    DATA_QUALITY,
    MAX_RUNTIME_SECONDS,
    MODEL_QUALITY,
    Definition,
    inline_definition,
    named_definition,
)
from cloche.engines.monitoring.monitoring import Monitoring, planned_window, schedule_of
from cloche.engines.monitoring.requests import Execution, analysis_request
from cloche.engines.monitoring.rows import MIGRATIONS, SCHEDULE, ExecutionRow, row_from
from cloche.engines.monitoring.times import DAY, HOUR, Window, parse_offset, parse_schedule, window_at

__all__ = [
    "DATA_QUALITY",
    "DAY",
    "HOUR",
    "MAX_RUNTIME_SECONDS",
    "MIGRATIONS",
    "MODEL_QUALITY",
    "SCHEDULE",
    "Alert",
    "Definition",
    "Execution",
    "ExecutionRow",
    "Monitoring",
    "Window",
    "analysis_request",
    "inline_definition",
    "named_definition",
    "parse_offset",
    "parse_schedule",
    "planned_window",
    "row_from",
    "schedule_of",
    "window_at",
]
