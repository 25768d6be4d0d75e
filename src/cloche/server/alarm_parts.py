"""The engine of alarms, put together: what it acts upon and computes with is loaded with the first alarm."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloche.engines.alarms import Alarms
from cloche.engines.autoscaling import AutoScaling
from cloche.engines.events import Events
from cloche.engines.functions import Functions
from cloche.engines.topics import Topics
from cloche.jobs.equipment import Equipment
from cloche.storage.metrics import MetricStore

if TYPE_CHECKING:
    from cloche.engines.alarms.detectors import Detectors
    from cloche.engines.alarms.evaluating import Expressions
    from cloche.engines.alarms.plan import Compute
    from cloche.engines.alarms.states import States


def alarms_of(
    equipment: Equipment, functions: Functions, topics: Topics, events: Events, scaling: Callable[[], AutoScaling]
) -> Alarms:
    metrics = equipment.metrics
    return Alarms(
        equipment.database,
        equipment.clock,
        metrics,
        lambda: _states(functions, topics, events, scaling),
        _statistic,
        lambda detectors: _expressions(metrics, detectors),
    )


def _states(functions: Functions, topics: Topics, events: Events, scaling: Callable[[], AutoScaling]) -> States:
    from cloche.engines.alarms.states import States
    from cloche.server.alarm_actions import region_name, to_events, to_functions, to_scaling, to_topics

    actions = {"lambda": to_functions(functions), "sns": to_topics(topics), "autoscaling": to_scaling(scaling)}
    return States(actions, to_events(events), region_name)


def _statistic(name: str) -> Compute:
    from cloche.engines.metric_math import statistic

    return statistic(name)


def _expressions(metrics: MetricStore, detectors: Detectors) -> Expressions:
    from cloche.server.alarm_expressions import AlarmExpressions

    return AlarmExpressions(metrics, detectors)
