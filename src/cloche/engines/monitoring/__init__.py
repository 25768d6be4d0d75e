"""Model Monitor: schedules whose executions are processing jobs over captured data.

``Monitoring`` is the face: little, so that a server that monitors nothing loads nothing. ``times`` says when an
execution falls due and which hours it looks at, ``definition`` what it does, ``requests`` which processing jobs that
makes; these are pure. ``scheduling`` makes the executions that are due, ``captured`` finds the folders that hold data,
``executing`` carries an execution out, through the API like any client, ``alerts`` counts failures. What runs inside
the jobs is not known here.
"""

from cloche.engines.monitoring.monitoring import Monitoring
from cloche.engines.monitoring.schema import MIGRATIONS, SCHEDULE

__all__ = ["MIGRATIONS", "SCHEDULE", "Monitoring"]
