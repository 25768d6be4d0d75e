"""Hosting: endpoints as fleets of model servers, and the way of a request to one of them."""

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.capture import CapturePlan, Heard, Known, Told
from cloche.engines.hosting.choosing import EndpointUnknown, NothingServes, SessionUnknown, VariantUnknown
from cloche.engines.hosting.connection import Full, TimedOut, Unanswered
from cloche.engines.hosting.hosting import MIGRATIONS, Hosting
from cloche.engines.hosting.instances import Images, JobCredentials
from cloche.engines.hosting.invocation import Invoker, Outcome
from cloche.engines.hosting.plan import (
    COMPONENT,
    INSTANCES_PER_VARIANT_MAX,
    Capacity,
    EndpointPlan,
    FleetPlan,
    VariantPlan,
)
from cloche.engines.hosting.policy import ALL_AT_ONCE, CANARY, LINEAR, ROLLING, Policy, Size, stages_of, watched_seconds
from cloche.engines.hosting.request import request_bytes, request_head
from cloche.engines.hosting.round import AlarmStates
from cloche.engines.hosting.router import (
    ANY,
    ComponentWanted,
    ContainerUnknown,
    ContainerWanted,
    NotStreamed,
    ScaledToNone,
    Wanted,
)
from cloche.engines.hosting.streaming import AnswerStream, stream

__all__ = [
    "ALL_AT_ONCE",
    "ANY",
    "CANARY",
    "COMPONENT",
    "INSTANCES_PER_VARIANT_MAX",
    "LINEAR",
    "MIGRATIONS",
    "ROLLING",
    "AlarmStates",
    "Answer",
    "AnswerStream",
    "Capacity",
    "CapturePlan",
    "ComponentWanted",
    "ContainerUnknown",
    "ContainerWanted",
    "EndpointPlan",
    "EndpointUnknown",
    "FleetPlan",
    "Full",
    "Heard",
    "Hosting",
    "Images",
    "Invoker",
    "JobCredentials",
    "Known",
    "NotStreamed",
    "NothingServes",
    "Outcome",
    "Policy",
    "ScaledToNone",
    "SessionUnknown",
    "Size",
    "TimedOut",
    "Told",
    "Unanswered",
    "VariantPlan",
    "VariantUnknown",
    "Wanted",
    "request_bytes",
    "request_head",
    "stages_of",
    "stream",
    "watched_seconds",
]
