"""Hosting: endpoints as fleets of model servers, and the way of a request to one of them."""

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.connection import Full, TimedOut, Unanswered
from cloche.engines.hosting.hosting import Hosting
from cloche.engines.hosting.instances import Images, JobCredentials
from cloche.engines.hosting.invocation import (
    EndpointUnknown,
    Invoker,
    NothingServes,
    Outcome,
    VariantUnknown,
    request_bytes,
)
from cloche.engines.hosting.logbook import MIGRATIONS
from cloche.engines.hosting.plan import (
    INSTANCES_PER_VARIANT_MAX,
    Capacity,
    EndpointPlan,
    FleetPlan,
    VariantPlan,
)

__all__ = [
    "INSTANCES_PER_VARIANT_MAX",
    "MIGRATIONS",
    "Answer",
    "Capacity",
    "EndpointPlan",
    "EndpointUnknown",
    "FleetPlan",
    "Full",
    "Hosting",
    "Images",
    "Invoker",
    "JobCredentials",
    "NothingServes",
    "Outcome",
    "TimedOut",
    "Unanswered",
    "VariantPlan",
    "VariantUnknown",
    "request_bytes",
]
