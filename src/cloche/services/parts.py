"""The engines and stores a handler may use: made once by ``server``, reached as ``ctx.parts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloche.foundation.agenda import Agenda
from cloche.foundation.bus import Bus
from cloche.foundation.clock import Clock
from cloche.foundation.settings import Settings
from cloche.storage.metadata.database import Database

if TYPE_CHECKING:
    from cloche.compute.images.finding import ImageFinder
    from cloche.engines.alarms import Alarms
    from cloche.engines.autoscaling import AutoScaling
    from cloche.engines.events import Events
    from cloche.engines.functions import Functions
    from cloche.engines.hosting import Hosting
    from cloche.engines.identity import Identity
    from cloche.engines.image_registry import ImageRegistry
    from cloche.engines.log_export import LogExports
    from cloche.engines.log_insights import LogInsights
    from cloche.engines.log_subscriptions import LogSubscriptions
    from cloche.engines.metric_filters import MetricFilters
    from cloche.engines.model_cards import CardExports
    from cloche.engines.monitoring import Monitoring
    from cloche.engines.object_events import ObjectEvents
    from cloche.engines.package_validation import Validations
    from cloche.engines.pipelines import Pipelines
    from cloche.engines.processing import Processing
    from cloche.engines.queues import Queues
    from cloche.engines.quotas import Quotas
    from cloche.engines.tagging import Tagging
    from cloche.engines.topics import Topics
    from cloche.engines.training import Training
    from cloche.engines.transform import Transforms
    from cloche.engines.tuning import Tuning
    from cloche.jobs.equipment import Equipment
    from cloche.lifecycle.reconciler import Reconciler
    from cloche.storage.logs import LogStore
    from cloche.storage.metadata.changes import Changes
    from cloche.storage.metrics import MetricStore
    from cloche.storage.objects import ObjectStore


class Parts:
    settings: Settings
    clock: Clock
    agenda: Agenda
    bus: Bus
    database: Database
    objects: ObjectStore
    logs: LogStore
    metrics: MetricStore
    identity: Identity
    changes: Changes
    reconciler: Reconciler
    equipment: Equipment
    own_images: ImageFinder
    training: Training
    transforms: Transforms
    tuning: Tuning
    processing: Processing
    hosting: Hosting
    pipelines: Pipelines
    monitoring: Monitoring
    functions: Functions
    tagging: Tagging
    quotas: Quotas
    exports: LogExports
    log_insights: LogInsights
    card_exports: CardExports
    validations: Validations
    metric_filters: MetricFilters
    log_subscriptions: LogSubscriptions
    queues: Queues
    topics: Topics
    object_events: ObjectEvents
    events: Events
    alarms: Alarms
    autoscaling: AutoScaling
    image_registry: ImageRegistry
