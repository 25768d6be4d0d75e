"""The second half of the composition root: every engine by name, made, started and closed.

``building`` is the first half, with what the first answers need. This half is loaded right after the server is ready,
or when the first request comes that wants an engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cloche.compute.containers.program import ContainerProgram
from cloche.compute.images import EnvironmentBuilder
from cloche.compute.images.bounds import Bounds
from cloche.compute.images.finding import ImageFinder
from cloche.compute.images.own import OwnImages
from cloche.compute.images.store import BlobStore
from cloche.compute.packages import PackageSources
from cloche.compute.runtime import Runtime
from cloche.engines import alarms as alarms_engine
from cloche.engines import autoscaling as autoscaling_engine
from cloche.engines import events as events_engine
from cloche.engines import (
    experiments,
    image_registry,
    lineage,
    log_insights,
    log_subscriptions,
    model_cards,
    queues,
    quotas,
    tagging,
    tuning,
)
from cloche.engines import functions as functions_engine
from cloche.engines import hosting as hosting_engine
from cloche.engines import monitoring as monitoring_engine
from cloche.engines import pipelines as pipelines_engine
from cloche.engines import topics as topics_engine
from cloche.engines.alarms import Alarms
from cloche.engines.autoscaling import AutoScaling
from cloche.engines.filter_patterns import compile_pattern
from cloche.engines.functions import Functions
from cloche.engines.functions.tag_owner import FunctionOwner
from cloche.engines.hosting import Hosting
from cloche.engines.identity import Identity
from cloche.engines.identity.tag_owner import TagOwner
from cloche.engines.image_registry import ImageRegistry
from cloche.engines.log_export import LogExports
from cloche.engines.log_insights import LogInsights
from cloche.engines.metric_filters import MetricFilters
from cloche.engines.model_cards import CardExports
from cloche.engines.monitoring import Monitoring
from cloche.engines.package_validation import Validations
from cloche.engines.pipelines import Pipelines
from cloche.engines.processing import Processing
from cloche.engines.queues import Queues, QueueTagOwner
from cloche.engines.quotas import Quotas
from cloche.engines.tagging import BucketOwner, LogGroupOwner, RecordOwner, Tagging
from cloche.engines.training import Training
from cloche.engines.transform import Transforms
from cloche.engines.tuning import Tuning
from cloche.foundation.limits import GIB
from cloche.foundation.settings import Settings
from cloche.jobs import reading, shortages
from cloche.jobs.equipment import Equipment
from cloche.jobs.file_systems import FileSystems
from cloche.jobs.outside import Gateway
from cloche.server import lineage_following
from cloche.server.accounts import AccountRoutes
from cloche.server.address import url_for_jobs
from cloche.server.alarm_parts import alarms_of
from cloche.server.api_for_engines import ApiForEngines
from cloche.server.authority import Authority
from cloche.server.building import MIGRATIONS as EARLY
from cloche.server.clearing import Clearing
from cloche.server.clockwork import ClockRoutes, enter
from cloche.server.directory import Layout
from cloche.server.dispatch import Dispatch
from cloche.server.documents import read_members
from cloche.server.event_delivery import events_of
from cloche.server.function_keys import FunctionKeys
from cloche.server.function_queues import FunctionQueues
from cloche.server.housekeeping import Housekeeping
from cloche.server.image_events import ImageEvents
from cloche.server.images import Images
from cloche.server.interruptions import InterruptionRoutes
from cloche.server.job_tokens import JobTokens
from cloche.server.own_routes import OwnRoutes
from cloche.server.package_routes import PackageRoutes, package_links
from cloche.server.registry.layer_routes import LayerRoutes, layer_links
from cloche.server.role_sessions import RoleSessionRoutes
from cloche.server.scaling_events import ScalingEvents
from cloche.server.scaling_ports import HostedCapacities, ScalingAlarms, ScalingFollower
from cloche.server.shortages import ShortageRoutes
from cloche.server.telling import log_subscriptions_of, object_events_of, topics_of
from cloche.server.topic_signing import CertificateRoute, TopicSigner
from cloche.services.parts import Parts
from cloche.services.sagemaker.pipelines.pipeline_metrics import PipelineMetrics
from cloche.services.sagemaker.state_changes import StateChanges
from cloche.serving.sockets import socket_folder
from cloche.storage.metadata.changes import Changes, Hint
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import Migration, migrate
from cloche.storage.objects import Lifecycle, ObjectStore
from cloche_jobs.catalog import SEARCH

MIGRATIONS: list[Migration] = [
    *EARLY,
    *hosting_engine.MIGRATIONS,
    *tagging.MIGRATIONS,
    *quotas.MIGRATIONS,
    *functions_engine.MIGRATIONS,
    *experiments.MIGRATIONS,
    *lineage.MIGRATIONS,
    *pipelines_engine.MIGRATIONS,
    *model_cards.MIGRATIONS,
    *tuning.MIGRATIONS,
    *queues.MIGRATIONS,
    *reading.MIGRATIONS,
    *events_engine.MIGRATIONS,
    *topics_engine.MIGRATIONS,
    *log_subscriptions.MIGRATIONS,
    *log_insights.MIGRATIONS,
    *monitoring_engine.MIGRATIONS,
    *alarms_engine.MIGRATIONS,
    *image_registry.MIGRATIONS,
    *autoscaling_engine.MIGRATIONS,
    *shortages.MIGRATIONS,
]
"""In the order the parts came to be. Only ever appended to; ``building.SCHEMA`` is their number."""

TAGGED = ("sagemaker", "cloudwatch", "events", "pipes", "scheduler", "sns", "ecr", "application-autoscaling")
"""Services whose tagged nouns are records."""


@dataclass(slots=True)
class Engines:
    """What engines are made from, besides the parts that are there already."""

    layout: Layout
    dispatch: Dispatch
    runtime: Runtime
    tokens: JobTokens
    api: ApiForEngines
    token: str
    """Of the owner of the data directory."""
    containers: ContainerProgram | None = None
    routes: tuple[OwnRoutes, ...] = ()
    housekeeping: Housekeeping = field(init=False)
    lifecycle: Lifecycle = field(init=False)

    def make(self, parts: Parts) -> dict[str, Any]:
        """All that ``parts`` lacks, by its names. Raises ``Conflict`` for a directory of a newer version."""
        migrate(parts.database, MIGRATIONS)
        return _made(self, parts)

    def enter(self, parts: Parts) -> None:
        """Tie together what was made."""
        parts.changes.follow("lineage", lineage_following.follow)
        parts.changes.follow("events", StateChanges(parts).follow)
        scaling = ScalingFollower(parts.autoscaling)
        parts.changes.follow("scaling", scaling.follow)
        parts.autoscaling.scaled_to_max = ScalingEvents(parts.events).scaled_to_max
        parts.changes.on_commit(scaling.heard)
        parts.changes.follow("pipeline metrics", PipelineMetrics(parts.metrics).follow)
        parts.image_registry.happened = ImageEvents(parts.events).tell
        self.lifecycle = Lifecycle(parts.objects, parts.clock)
        self.housekeeping = Housekeeping(
            [
                parts.identity.keys.write_uses,
                parts.logs.expire,
                parts.log_insights.expire,
                parts.metrics.expire,
                parts.queues.expire,
                parts.topics.expire,
                parts.events.archives.expire,
                parts.alarms.expire,
                parts.autoscaling.expire,
                self.lifecycle.run,
            ],
            parts.clock,
        )
        enter(parts, self.housekeeping)
        self.routes = _owners_routes(self, parts)

    def start(self, parts: Parts, loop: asyncio.AbstractEventLoop) -> None:
        """Begin what goes on by itself: the reconciler, which also adopts what still runs."""
        parts.hosting.start()
        parts.functions.start(loop)
        parts.training.start()
        parts.transforms.start()
        parts.card_exports.start()
        parts.tuning.start()
        parts.validations.start()
        parts.monitoring.start()
        parts.processing.start()
        parts.queues.metrics.start()
        parts.topics.start()
        parts.log_subscriptions.start()
        parts.events.start(loop)
        parts.log_insights.start()
        parts.changes.start()
        parts.reconciler.start()
        self.housekeeping.start()
        parts.agenda.start()

    def close(self, parts: Parts) -> None:
        """Stop what goes on by itself and write what is not yet written. Jobs run on."""
        parts.agenda.stop()
        self.lifecycle.stop()
        self.housekeeping.stop()
        parts.reconciler.stop()
        parts.changes.stop()
        parts.events.stop()
        parts.queues.metrics.stop()
        parts.topics.stop()
        parts.log_subscriptions.stop()
        parts.equipment.close()
        parts.pipelines.close()
        parts.tuning.close()
        parts.training.close()
        parts.transforms.close()
        parts.card_exports.close()
        parts.processing.close()
        parts.hosting.stop()
        parts.functions.close()
        parts.log_insights.close()
        parts.metric_filters.close()
        parts.image_registry.close()


def _made(engines: Engines, parts: Parts) -> dict[str, Any]:
    settings, layout, api, dispatch = parts.settings, engines.layout, engines.api, engines.dispatch
    database, clock, bus, reconciler = parts.database, parts.clock, parts.bus, parts.reconciler
    store, log_store, metric_store = parts.objects, parts.logs, parts.metrics
    principals, changes = parts.identity, parts.changes
    blobs = BlobStore(layout.registry)
    bounds = Bounds(settings.image_gib_max * GIB, settings.image_members_max, settings.image_layers_max)
    images = Images(EnvironmentBuilder(), OwnImages(blobs, layout.rootfs, bounds, keeper=engines.containers))
    registry = ImageRegistry(blobs, database, clock, settings.account, settings.region)
    own_images = ImageFinder(blobs, settings.account, bounds)
    own_images.registry = registry.found
    equipment = Equipment(
        database=database,
        clock=clock,
        reconciler=reconciler,
        runtime=engines.runtime,
        objects=store,
        logs=log_store,
        metrics=metric_store,
        images=images,
        credentials=engines.tokens,
        gateway=Gateway(
            url_for_jobs(settings),
            Authority(layout.keys, settings.tls_certificate).ready_bundle,
            PackageSources(layout.run / "packages", [layout.root]),
        ),
        stop_grace_seconds=settings.stop_grace_seconds,
        file_systems=FileSystems(dict(settings.file_systems)),
    )
    training = Training(layout.run / "training", equipment)
    transforms = Transforms(layout.run / "transform", socket_folder(layout.root), equipment)
    pipelines = Pipelines(database, clock, store, reconciler, api, changes, read_members)
    card_exports = CardExports(layout.run / "model-cards", equipment)
    exports = LogExports(database, reconciler, log_store, store)
    metric_filters = MetricFilters(database, clock, metric_store, compile_pattern)
    log_store.when_appended = metric_filters.appended
    messages = Queues(database, clock, reconciler, metric_store)
    functions = _functions(settings, layout, equipment, principals, images, messages)
    topics = topics_of(settings, layout, equipment, messages, functions, url_for_jobs(settings))
    rules = events_of(equipment, bus, messages, functions, topics, api, dispatch, lambda: scaling)
    limits = Quotas(database, clock)
    principals.limits = limits.iam_limit
    alarms = alarms_of(equipment, functions, topics, rules, lambda: scaling)
    scaling = AutoScaling(
        database,
        clock,
        reconciler,
        HostedCapacities(api),
        ScalingAlarms(alarms, database),
        rules.schedules.remove,
    )
    return {
        "equipment": equipment,
        "own_images": own_images,
        "training": training,
        "transforms": transforms,
        "tuning": Tuning(
            database=database,
            clock=clock,
            reconciler=reconciler,
            changes=changes,
            metrics=metric_store,
            api=api,
            search_python=lambda: images.builder.ensure(SEARCH).python,
        ),
        "processing": Processing(layout.run / "processing", equipment),
        "hosting": _hosting(layout, equipment, alarms, changes),
        "functions": functions,
        "pipelines": pipelines,
        "monitoring": Monitoring(database, clock, store, reconciler, api, changes),
        "quotas": limits,
        "tagging": _tagging(database, store, principals),
        "exports": exports,
        "log_insights": LogInsights(layout.root / "insights", database, clock, log_store),
        "card_exports": card_exports,
        "validations": Validations(database, reconciler, api, changes),
        "metric_filters": metric_filters,
        "log_subscriptions": log_subscriptions_of(equipment, functions),
        "queues": messages,
        "topics": topics,
        "object_events": object_events_of(equipment, messages, functions, topics, rules),
        "events": rules,
        "alarms": alarms,
        "autoscaling": scaling,
        "image_registry": registry,
    }


def _hosting(layout: Layout, equipment: Equipment, alarms: Alarms, changes: Changes) -> Hosting:
    made = Hosting(
        folder=layout.run / "endpoints",
        captured=layout.captured,
        data=layout.root,
        database=equipment.database,
        clock=equipment.clock,
        reconciler=equipment.reconciler,
        runtime=equipment.runtime,
        objects=equipment.objects,
        logs=equipment.logs,
        metrics=equipment.metrics,
        images=equipment.images,
        credentials=equipment.credentials,
        packages=equipment.gateway.packages if equipment.gateway else None,
        alarm_states=alarms.states,
    )

    def heard(hints: Sequence[Hint]) -> None:
        if any(hint.kind == alarms_engine.KIND and hint.status == "ALARM" for hint in hints):
            made.alarm_rang()

    changes.on_commit(heard)
    return made


def _functions(
    settings: Settings, layout: Layout, equipment: Equipment, principals: Identity, images: Images, queues: Queues
) -> Functions:
    url = url_for_jobs(settings)
    functions = Functions(
        folder=layout.run / "functions",
        kept=layout.root / "functions",
        data=layout.root,
        database=equipment.database,
        clock=equipment.clock,
        runtime=equipment.runtime,
        logs=equipment.logs,
        metrics=equipment.metrics,
        images=images,
        keys=FunctionKeys(principals, url),
        link=package_links(url, equipment.database, equipment.clock).link,
    )
    functions.mappings.sources = FunctionQueues(queues)
    return functions


def _tagging(database: Database, store: ObjectStore, principals: Identity) -> Tagging:
    return Tagging(
        database,
        [
            RecordOwner(database, TAGGED),
            BucketOwner(store),
            LogGroupOwner(database),
            FunctionOwner(database),
            TagOwner(principals),
            QueueTagOwner(database),
        ],
    )


def _owners_routes(engines: Engines, parts: Parts) -> tuple[OwnRoutes, ...]:
    settings, token, clear = parts.settings, engines.token, Clearing(parts).clear
    signer = parts.topics.signer
    assert isinstance(signer, TopicSigner)
    layers = layer_links(url_for_jobs(settings), parts.database, parts.clock)
    parts.image_registry.link = lambda digest: layers.link(digest.removeprefix("sha256:"))
    return (
        CertificateRoute(signer),
        AccountRoutes(parts.identity, clear, token, open_reset=settings.any_credentials),
        PackageRoutes(package_links(url_for_jobs(settings), parts.database, parts.clock), parts.functions.packages),
        LayerRoutes(layers, parts.image_registry.store),
        InterruptionRoutes(parts.training, parts.database, token),
        ShortageRoutes(parts.equipment.shortages, token),
        RoleSessionRoutes(parts.identity, engines.tokens, token),
        ClockRoutes(parts.agenda, token),
    )
