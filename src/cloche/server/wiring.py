"""The composition root: settings in, a wired server out. The only module that knows every part by name."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cloche.aws.model.load import service_model, use_cache
from cloche.aws.operation import Caller
from cloche.aws.signing.sigv4 import Verifier
from cloche.compute.images import EnvironmentBuilder
from cloche.compute.local import LocalRuntime
from cloche.compute.runtime import Runtime
from cloche.engines import alarms as alarms_engine
from cloche.engines import events as events_engine
from cloche.engines import (
    experiments,
    identity,
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
from cloche.engines.filter_patterns import compile_pattern
from cloche.engines.functions import Functions
from cloche.engines.functions.tag_owner import FunctionOwner
from cloche.engines.hosting import Hosting
from cloche.engines.identity import ACCOUNT_NUMBER, Identity
from cloche.engines.identity.tag_owner import TagOwner
from cloche.engines.log_export import LogExports
from cloche.engines.log_insights import LogInsights
from cloche.engines.metric_filters import MetricFilters
from cloche.engines.model_cards import CardExports
from cloche.engines.monitoring import Monitoring
from cloche.engines.pipelines import Pipelines
from cloche.engines.processing import Processing
from cloche.engines.queues import Queues, QueueTagOwner
from cloche.engines.quotas import Quotas
from cloche.engines.tagging import BucketOwner, LogGroupOwner, RecordOwner, Tagging
from cloche.engines.training import Training
from cloche.engines.transform import Transforms
from cloche.engines.tuning import Tuning
from cloche.foundation.agenda import Agenda
from cloche.foundation.bus import Bus
from cloche.foundation.clock import TurnableClock
from cloche.foundation.settings import Settings
from cloche.jobs import reading
from cloche.jobs.equipment import Equipment
from cloche.jobs.outside import Gateway
from cloche.lifecycle import rows as lifecycle_rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.server import job_tokens, lineage_following
from cloche.server.accounts import AccountRoutes
from cloche.server.admin import Admin
from cloche.server.alarm_parts import alarms_of
from cloche.server.api_for_engines import ApiForEngines
from cloche.server.app import Chain
from cloche.server.authority import Authority
from cloche.server.authorization import Authorization
from cloche.server.clearing import Clearing
from cloche.server.client_environment import write_sdk_configuration
from cloche.server.clockwork import ClockRoutes, clock_of, enter
from cloche.server.directory import Layout, write_private
from cloche.server.dispatch import Dispatch
from cloche.server.documents import read_members
from cloche.server.event_delivery import events_of
from cloche.server.fallback import prepare as prepare_fallback
from cloche.server.function_keys import FunctionKeys
from cloche.server.function_queues import FunctionQueues
from cloche.server.guard import Guard
from cloche.server.housekeeping import Housekeeping
from cloche.server.images import Images
from cloche.server.interruptions import InterruptionRoutes
from cloche.server.job_tokens import JobTokens
from cloche.server.own_routes import OwnRoutes
from cloche.server.package_routes import PackageLinks, PackageRoutes
from cloche.server.perform import Perform
from cloche.server.running import Runner
from cloche.server.telling import log_subscriptions_of, object_events_of, topics_of
from cloche.server.tls import Tls, prepare
from cloche.server.topic_signing import CertificateRoute, TopicSigner
from cloche.services.parts import Parts
from cloche.services.sagemaker.state_changes import StateChanges
from cloche.serving.sockets import socket_folder
from cloche.storage import logs, metrics, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import changes as record_changes
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Changes, Hint
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import Migration, migrate
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import Lifecycle, ObjectStore
from cloche_jobs.catalog import SEARCH

log = logging.getLogger(__name__)

MIGRATIONS: list[Migration] = [
    *records.MIGRATIONS,
    *objects.MIGRATIONS,
    *logs.MIGRATIONS,
    *metrics.MIGRATIONS,
    *lifecycle_rows.MIGRATIONS,
    *identity.MIGRATIONS,
    *hosting_engine.MIGRATIONS,
    *job_tokens.MIGRATIONS,
    *tagging.MIGRATIONS,
    *quotas.MIGRATIONS,
    *functions_engine.MIGRATIONS,
    *record_changes.MIGRATIONS,
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
]
"""By floor, lowest first; within a floor in the order the parts came to be. Only ever appended to."""


@dataclass(slots=True)
class Wiring:
    """Everything made, nothing started. ``close`` may be called at any time after."""

    parts: Parts
    chain: Chain
    perform: Perform
    authority: Authority
    console_token: str
    isolation: str
    """How jobs are kept apart on this machine, in a sentence."""
    runtime: Runtime
    api: ApiForEngines
    tls: Tls | None = None
    when_stopping: list[Callable[[], None]] = field(default_factory=list)
    """Called on the loop when a stop is asked for, before requests in flight are waited for."""
    housekeeping: Housekeeping = field(init=False)
    lifecycle: Lifecycle = field(init=False)

    def __post_init__(self) -> None:
        self.when_stopping.append(self.parts.logs.announce_close)
        self.when_stopping.append(self.parts.queues.waiting.close)
        self.parts.changes.follow("events", StateChanges(self.parts).follow)
        self.api.bind(self.perform)
        self.lifecycle = Lifecycle(self.parts.objects, self.parts.clock)
        parts = self.parts
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
                self.lifecycle.run,
            ],
            parts.clock,
        )
        enter(parts, self.housekeeping)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin what goes on by itself: the reconciler, which also adopts what still runs."""
        self.perform.bind(loop)
        self.parts.hosting.start()
        self.parts.functions.start(loop)
        self.parts.training.start()
        self.parts.transforms.start()
        self.parts.card_exports.start()
        self.parts.tuning.start()
        self.parts.monitoring.start()
        self.parts.processing.start()
        self.parts.topics.start()
        self.parts.log_subscriptions.start()
        self.parts.events.start(loop)
        self.parts.log_insights.start()
        self.parts.changes.start()
        self.parts.reconciler.start()
        self.housekeeping.start()
        self.parts.agenda.start()

    def warm(self) -> None:
        """What a first request would otherwise wait for; takes a second of a thread, after the start."""
        self.authority.ensure()
        dispatch = self.chain.dispatch
        for service in ("sagemaker", "s3", "sts", "sagemaker-runtime"):
            if dispatch.offered(service) is not None:
                service_model(service)
        # Models and modules stay for good: the collector need not walk them again and again. What a request leaves
        # is freed by counting; cycles are rare, so looking for them rarely is enough.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)

    def close(self) -> None:
        """Stop what goes on by itself and write what is not yet written. Jobs run on."""
        self.perform.unbind()
        self.chain.runner.close()
        self.parts.agenda.stop()
        self.lifecycle.stop()
        self.housekeeping.stop()
        self.parts.reconciler.stop()
        self.parts.changes.stop()
        self.parts.events.stop()
        self.parts.topics.stop()
        self.parts.log_subscriptions.stop()
        self.parts.equipment.close()
        self.parts.pipelines.close()
        self.parts.tuning.close()
        self.parts.training.close()
        self.parts.transforms.close()
        self.parts.card_exports.close()
        self.parts.processing.close()
        self.parts.hosting.stop()
        self.parts.functions.close()
        self.parts.log_insights.close()
        self.parts.metric_filters.close()
        self.parts.metrics.close()
        self.parts.logs.close()
        self.parts.objects.close()
        self.parts.identity.keys.write_uses()
        self.parts.database.close()


def build(settings: Settings) -> Wiring:
    """Raises ``Conflict`` for a data directory written by a newer version."""
    layout = Layout(settings.data)
    clock = clock_of(layout)
    use_cache(layout.models)
    authority = Authority(layout.keys, settings.tls_certificate)
    tls = prepare(settings, authority)
    dispatch = Dispatch()
    fallback = prepare_fallback(settings, dispatch)
    bus = Bus()
    database = Database(layout.database)
    try:
        migrate(database, MIGRATIONS)
        parts, tokens, runtime, api = _parts(settings, layout, clock, bus, database, dispatch)
    except BaseException:
        database.close()
        raise
    write_sdk_configuration(layout)
    runner = Runner()
    chain = Chain(
        settings=settings,
        clock=clock,
        bus=bus,
        parts=parts,
        verifier=_verifier(settings, parts.identity),
        guard=Guard(settings.host, tls.names if tls is not None else frozenset()),
        dispatch=dispatch,
        authorize=Authorization(used=parts.identity.keys.used),
        runner=runner,
        admin=Admin(tokens, fallback, _owners_routes(settings, layout, parts)),
    )
    chain.fallback = fallback
    return Wiring(
        parts,
        chain,
        Perform(chain),
        authority,
        _console_token(layout),
        runtime.capabilities.explanation,
        runtime,
        api,
        tls,
    )


def _parts(
    settings: Settings, layout: Layout, clock: TurnableClock, bus: Bus, database: Database, dispatch: Dispatch
) -> tuple[Parts, JobTokens, Runtime, ApiForEngines]:
    store = ObjectStore(layout.objects, database, clock)
    log_store = LogStore(layout.logs, database, clock)
    metric_store = MetricStore(database, clock)
    principals = Identity(database, clock, settings, layout.keys)
    changes = Changes(database)
    changes.follow("lineage", lineage_following.follow)
    api = ApiForEngines(principals, clock)
    reconciler = Reconciler(database, clock, bus)
    tokens = JobTokens(database, clock, principals, _url_for_jobs(settings))
    runtime = LocalRuntime(layout.processes, settings.sandbox, standby=settings.standby)
    images = Images(EnvironmentBuilder())
    equipment = Equipment(
        database=database,
        clock=clock,
        reconciler=reconciler,
        runtime=runtime,
        objects=store,
        logs=log_store,
        metrics=metric_store,
        images=images,
        credentials=tokens,
        gateway=Gateway(_url_for_jobs(settings), Authority(layout.keys).bundle),
        stop_grace_seconds=settings.stop_grace_seconds,
    )
    training = Training(layout.run / "training", equipment)
    transforms = Transforms(layout.run / "transform", socket_folder(layout.root), equipment)
    pipelines = Pipelines(database, clock, store, reconciler, api, changes, read_members)
    card_exports = CardExports(layout.run / "model-cards", equipment)
    exports = LogExports(database, reconciler, log_store, store)
    metric_filters = MetricFilters(database, clock, metric_store, compile_pattern)
    log_store.when_appended = metric_filters.appended
    messages = Queues(database, clock, reconciler)
    functions = _functions(settings, layout, equipment, principals, images, messages)
    topics = topics_of(settings, layout, equipment, messages, functions, _url_for_jobs(settings))
    rules = events_of(equipment, bus, messages, functions, topics, api, dispatch)
    limits = Quotas(database, clock)
    principals.limits = limits.iam_limit
    alarms = alarms_of(equipment, functions, topics, rules)
    parts = Parts(
        settings=settings,
        clock=clock,
        agenda=Agenda(clock),
        bus=bus,
        database=database,
        objects=store,
        logs=log_store,
        metrics=metric_store,
        identity=principals,
        changes=changes,
        reconciler=reconciler,
        equipment=equipment,
        training=training,
        transforms=transforms,
        tuning=Tuning(
            database=database,
            clock=clock,
            reconciler=reconciler,
            changes=changes,
            metrics=metric_store,
            api=api,
            search_python=lambda: images.builder.ensure(SEARCH).python,
        ),
        processing=Processing(layout.run / "processing", equipment),
        hosting=_hosting(layout, equipment, alarms, changes),
        functions=functions,
        pipelines=pipelines,
        monitoring=Monitoring(database, clock, store, reconciler, api, changes),
        quotas=limits,
        tagging=_tagging(database, store, principals),
        exports=exports,
        log_insights=LogInsights(layout.root / "insights", database, clock, log_store),
        card_exports=card_exports,
        metric_filters=metric_filters,
        log_subscriptions=log_subscriptions_of(equipment, functions),
        queues=messages,
        topics=topics,
        object_events=object_events_of(equipment, messages, functions, topics, rules),
        events=rules,
        alarms=alarms,
    )
    return parts, tokens, runtime, api


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
    url = _url_for_jobs(settings)
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
        link=PackageLinks(url, equipment.database, equipment.clock).link,
    )
    functions.mappings.sources = FunctionQueues(queues)
    return functions


def _tagging(database: Database, store: ObjectStore, principals: Identity) -> Tagging:
    return Tagging(
        database,
        [
            RecordOwner(database, ("sagemaker", "cloudwatch", "events", "pipes", "scheduler", "sns")),
            BucketOwner(store),
            LogGroupOwner(database),
            FunctionOwner(database),
            TagOwner(principals),
            QueueTagOwner(database),
        ],
    )


def _url_for_jobs(settings: Settings) -> str:
    """Jobs share this machine's network: loopback reaches a server that listens there or everywhere."""
    listens_wide = settings.host in ("0.0.0.0", "::", "localhost")  # noqa: S104
    host = "127.0.0.1" if listens_wide else settings.host
    return f"http://{'[' + host + ']' if ':' in host else host}:{settings.port}"


def _verifier(settings: Settings, identity: Identity) -> Verifier:
    if not settings.any_credentials:
        return Verifier(identity.credentials, old_header=settings.s3_before_2023, has_expired=identity.has_expired)

    def open_as(access_key: str) -> Caller:
        """A key of twelve digits means that account, which comes to be by being named; any other means home."""
        named = ACCOUNT_NUMBER.fullmatch(access_key) is not None
        root = identity.account_named(access_key) if named else identity.root_credentials()
        return Caller(root.account, root.principal_arn, root.user_id, root.access_key)

    return Verifier(
        identity.credentials,
        open_as=open_as,
        old_header=settings.s3_before_2023,
        has_expired=identity.has_expired,
    )


def _owners_routes(settings: Settings, layout: Layout, parts: Parts) -> tuple[OwnRoutes, ...]:
    token, clear = _console_token(layout), Clearing(parts).clear
    signer = parts.topics.signer
    assert isinstance(signer, TopicSigner)
    return (
        CertificateRoute(signer),
        AccountRoutes(parts.identity, clear, token, open_reset=settings.any_credentials),
        PackageRoutes(PackageLinks(_url_for_jobs(settings), parts.database, parts.clock), parts.functions.packages),
        InterruptionRoutes(parts.training, parts.database, token),
        ClockRoutes(parts.agenda, token),
    )


def _console_token(layout: Layout) -> str:
    """The console's token: made once, a private file."""
    path = layout.keys / "console.token"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()
