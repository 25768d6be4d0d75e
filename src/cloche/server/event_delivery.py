"""The engine of events, put together with all that it delivers to and takes from."""

from __future__ import annotations

from collections.abc import Callable

from cloche.engines.autoscaling import ACTION, AutoScaling
from cloche.engines.events import Events, Target
from cloche.engines.events.schedules import Owing
from cloche.engines.functions import Functions
from cloche.engines.queues import Queues
from cloche.engines.topics import Topics
from cloche.foundation.bus import Bus
from cloche.jobs.equipment import Equipment
from cloche.server.api_for_engines import ApiForEngines
from cloche.server.api_targets import PipelineTarget, UniversalTarget
from cloche.server.bus_admission import admits
from cloche.server.dispatch import Dispatch
from cloche.server.event_targets import FunctionTarget, LogTarget, QueueTarget, TopicTarget
from cloche.server.pipe_ports import PipeFunctions, PipeQueues


def events_of(
    equipment: Equipment,
    bus: Bus,
    messages: Queues,
    functions: Functions,
    topics: Topics,
    api: ApiForEngines,
    dispatch: Dispatch,
    scaling: Callable[[], AutoScaling],
) -> Events:
    clock, to_queues, to_operations = equipment.clock, QueueTarget(messages), UniversalTarget(api, dispatch)
    targets: dict[str, Target] = {
        "sqs": to_queues,
        "lambda": FunctionTarget(functions, clock),
        "sns": TopicTarget(topics),
        "logs": LogTarget(equipment.logs, clock),
        "sagemaker": PipelineTarget(api),
        "scheduler": to_operations,
    }
    ends_of_pipes = PipeQueues(messages), PipeFunctions(functions)
    further: dict[str, Owing] = {ACTION: lambda tx, occurrence: scaling().occurs(tx, occurrence.record)}
    return Events(
        equipment.database,
        clock,
        equipment.metrics,
        bus,
        targets,
        to_queues,
        to_operations,
        ends_of_pipes,
        admits,
        further,
    )
