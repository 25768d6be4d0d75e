"""The first half of the composition root: settings in, a server out that can answer.

What every answer needs is made here and at once: stores, keys, the chain of a request. The engines (``wiring``) are two
thirds of the code and take as long to load as all else together; they are made right after the server is ready, or when
the first request wants one, which then waits for them.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cloche.aws.model.load import service_model, use_cache
from cloche.aws.operation import Caller
from cloche.aws.signing.sigv4 import Verifier
from cloche.compute.local import LocalRuntime
from cloche.compute.runtime import Runtime
from cloche.engines import identity
from cloche.engines.identity import ACCOUNT_NUMBER, Identity
from cloche.foundation.agenda import Agenda
from cloche.foundation.bus import Bus
from cloche.foundation.settings import Settings
from cloche.lifecycle import rows as lifecycle_rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.server import job_tokens
from cloche.server.address import url_for_jobs
from cloche.server.admin import Admin
from cloche.server.api_for_engines import ApiForEngines
from cloche.server.app import Chain
from cloche.server.authority import Authority
from cloche.server.authorization import Authorization
from cloche.server.client_environment import write_sdk_configuration
from cloche.server.clockwork import clock_of
from cloche.server.directory import Layout, write_private
from cloche.server.dispatch import Dispatch
from cloche.server.fallback import prepare as prepare_fallback
from cloche.server.guard import Guard
from cloche.server.job_tokens import JobTokens
from cloche.server.own_routes import OwnRoutes
from cloche.server.perform import Perform
from cloche.server.running import Runner
from cloche.server.tls import Tls, prepare
from cloche.services.parts import Parts
from cloche.storage import logs, metrics, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import changes as record_changes
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Changes
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import Migration, migrate
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore

if TYPE_CHECKING:
    from cloche.compute.containers.program import ContainerProgram
    from cloche.server.wiring import Engines

MIGRATIONS: list[Migration] = [
    *records.MIGRATIONS,
    *objects.MIGRATIONS,
    *logs.MIGRATIONS,
    *metrics.MIGRATIONS,
    *lifecycle_rows.MIGRATIONS,
    *identity.MIGRATIONS,
    *job_tokens.MIGRATIONS,
    *record_changes.MIGRATIONS,
]
"""By floor, lowest first; within a floor in the order the parts came to be. Only ever appended to."""

SCHEMA: Final = 48
"""How many migrations there are, those of the engines included: a directory that has seen more is of a newer Cloche."""


class LateParts(Parts):
    """Parts of which the later ones are made all together, when the first of them is asked for."""

    def __init__(self, make: Callable[[Parts], dict[str, Any]], **early: Any) -> None:
        vars(self).update(early)
        self._make = make
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self.is_complete = False

    def __getattr__(self, name: str) -> Any:
        if name not in Parts.__annotations__:
            raise AttributeError(name)
        self.complete()
        return vars(self)[name]

    def complete(self) -> None:
        """Make what is missing, once; who comes meanwhile waits. Raises what the making raised: it may have begun
        things, so it is not done again."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self.is_complete:
                return
            try:
                vars(self).update(self._make(self))
            except Exception as failure:
                self._failure = failure
                raise
            self.is_complete = True


@dataclass(slots=True)
class _Loader:
    """Makes and starts the engines, once."""

    layout: Layout
    dispatch: Dispatch
    runtime: Runtime
    tokens: JobTokens
    api: ApiForEngines
    token: str
    containers: ContainerProgram | None
    loop: asyncio.AbstractEventLoop | None = None
    engines: Engines | None = None
    whole: Parts | None = None

    def make(self, early: Parts) -> dict[str, Any]:
        from cloche.server.wiring import Engines

        engines = Engines(self.layout, self.dispatch, self.runtime, self.tokens, self.api, self.token, self.containers)
        made, whole = engines.make(early), Parts()
        vars(whole).update({name: value for name, value in vars(early).items() if name in Parts.__annotations__})
        vars(whole).update(made)
        engines.enter(whole)
        self.engines, self.whole = engines, whole
        if self.loop is not None:
            engines.start(whole, self.loop)
        return made

    def close(self) -> None:
        if self.engines is not None and self.whole is not None:
            self.engines.close(self.whole)


@dataclass(slots=True)
class Wiring:
    """Everything that answers is made, nothing started. ``close`` may be called at any time after."""

    parts: LateParts
    chain: Chain
    perform: Perform
    authority: Authority
    console_token: str
    isolation: str
    """How jobs are kept apart on this machine, in a sentence."""
    runtime: Runtime
    api: ApiForEngines
    loader: _Loader
    tls: Tls | None = None
    when_stopping: list[Callable[[], None]] = field(default_factory=list)
    """Called on the loop when a stop is asked for, before requests in flight are waited for."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let requests be answered on ``loop``."""
        self.perform.bind(loop)
        self.loader.loop = loop

    def load(self) -> None:
        """Make the engines and begin what goes on by itself. Some tenths of a second of a thread, after the start.
        Raises ``Conflict`` for a data directory written by a newer version."""
        self.parts.complete()

    def warm(self) -> None:
        """What a first request would otherwise wait for; takes a second of a thread."""
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

    def announce_stop(self) -> None:
        """A stop is asked for: nobody waits any longer. On the loop."""
        self.parts.logs.announce_close()
        if self.parts.is_complete:
            self.parts.queues.waiting.close()
        for tell in self.when_stopping:
            tell()

    def close(self) -> None:
        """Stop what goes on by itself and write what is not yet written. Jobs run on."""
        self.perform.unbind()
        self.chain.runner.close()
        self.loader.close()
        parts = self.parts
        parts.metrics.close()
        parts.logs.close()
        parts.objects.close()
        parts.identity.keys.write_uses()
        parts.database.close()


def build(settings: Settings) -> Wiring:
    """Raises ``Conflict`` for a data directory written by a newer version."""
    layout = Layout(settings.data)
    use_cache(layout.models)
    authority = Authority(layout.keys, settings.tls_certificate)
    tls = prepare(settings, authority)
    dispatch = Dispatch()
    fallback = prepare_fallback(settings, dispatch)
    database = Database(layout.database)
    try:
        migrate(database, MIGRATIONS, of=SCHEMA)
        loader, parts = _parts(settings, layout, dispatch, database)
    except BaseException:
        database.close()
        raise
    write_sdk_configuration(layout)
    chain = Chain(
        settings=settings,
        clock=parts.clock,
        bus=parts.bus,
        parts=parts,
        verifier=_verifier(settings, parts.identity),
        guard=Guard(settings.host, tls.names if tls is not None else frozenset()),
        dispatch=dispatch,
        authorize=Authorization(used=parts.identity.keys.used),
        runner=Runner(),
        admin=Admin(loader.tokens, fallback, lambda: _owners(parts, loader)),
    )
    chain.fallback, chain.load = fallback, parts.complete
    perform = Perform(chain)
    loader.api.bind(perform)
    isolation = loader.runtime.capabilities.explanation
    return Wiring(parts, chain, perform, authority, loader.token, isolation, loader.runtime, loader.api, loader, tls)


def _containers(settings: Settings) -> ContainerProgram | None:
    """Raises ``Invalid`` where what is asked for cannot run containers here."""
    if settings.containers == "bubblewrap":
        return None
    from cloche.compute.containers.finding import found

    return found(settings.containers)


def _parts(settings: Settings, layout: Layout, dispatch: Dispatch, database: Database) -> tuple[_Loader, LateParts]:
    bus, clock = Bus(), clock_of(layout)
    principals = Identity(database, clock, settings, layout.keys)
    containers = _containers(settings)
    loader = _Loader(
        layout,
        dispatch,
        LocalRuntime(layout.processes, settings.sandbox, standby=settings.standby, containers=containers),
        JobTokens(database, clock, principals, url_for_jobs(settings)),
        ApiForEngines(principals, clock),
        _console_token(layout),
        containers,
    )
    parts = LateParts(
        loader.make,
        settings=settings,
        clock=clock,
        agenda=Agenda(clock),
        bus=bus,
        database=database,
        objects=ObjectStore(layout.objects, database, clock),
        logs=LogStore(layout.logs, database, clock),
        metrics=MetricStore(database, clock),
        identity=principals,
        changes=Changes(database),
        reconciler=Reconciler(database, clock, bus),
    )
    return loader, parts


def _owners(parts: LateParts, loader: _Loader) -> Sequence[OwnRoutes]:
    parts.complete()
    assert loader.engines is not None
    return loader.engines.routes


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


def _console_token(layout: Layout) -> str:
    """The console's token: made once, a private file."""
    path = layout.keys / "console.token"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()
