"""Pipelines: a definition that is read and checked, executions of it that go on whatever dies meanwhile.

Pure are ``definition``, ``checking``, ``graph``, ``expressions``, ``conditions``, ``caching`` and ``retrying``.
``driver`` says what an execution demands, ``starting`` how a step begins and fails, ``children`` acts through the API;
``kinds`` is the table of the types of steps. ``Pipelines`` is the face.
"""

from cloche.engines.pipelines.expressions import is_function
from cloche.engines.pipelines.graph import Graph
from cloche.engines.pipelines.parameters import shown
from cloche.engines.pipelines.pipelines import Pipelines, Start
from cloche.engines.pipelines.schema import (
    EXECUTION,
    MIGRATIONS,
    PIPELINE,
    STEP,
    VERSION,
    VERSIONS_AS_RECORDS,
    Version,
    add_version,
    set_aliases,
    touch_version,
    versions_of,
)
from cloche.engines.pipelines.steprows import executions_of, name_of

__all__ = [
    "EXECUTION",
    "MIGRATIONS",
    "PIPELINE",
    "STEP",
    "VERSION",
    "VERSIONS_AS_RECORDS",
    "Graph",
    "Pipelines",
    "Start",
    "Version",
    "add_version",
    "executions_of",
    "is_function",
    "name_of",
    "set_aliases",
    "shown",
    "touch_version",
    "versions_of",
]
