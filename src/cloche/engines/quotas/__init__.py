"""What an account may have, and how much of it is in use.

``catalogue`` knows AWS's quotas with their defaults. ``Quotas`` keeps what an account has asked for and checks it. A
quota whose number is nobody's wish does not hold anybody up: AWS gives new accounts no instances of most types, and a
learner on her own machine would meet that wall first.
"""

from cloche.engines.quotas.catalogue import (
    BUCKETS,
    INSTANCES_OF_JOBS,
    PUBLIC,
    SERVICES,
    Quota,
    endpoint_quota,
    processing_quota,
    training_quota,
    transform_quota,
)
from cloche.engines.quotas.quotas import MIGRATIONS, Asked, Quotas, Requested

__all__ = [
    "BUCKETS",
    "INSTANCES_OF_JOBS",
    "MIGRATIONS",
    "PUBLIC",
    "SERVICES",
    "Asked",
    "Quota",
    "Quotas",
    "Requested",
    "endpoint_quota",
    "processing_quota",
    "training_quota",
    "transform_quota",
]
