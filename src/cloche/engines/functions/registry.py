"""Functions as they are kept: created, updated, published, given aliases and reservations, deleted."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from cloche.engines.functions import rows
from cloche.engines.functions.capacity import UNRESERVED_MIN
from cloche.engines.functions.plan import (
    LATEST,
    PENDING,
    Alias,
    Code,
    Configuration,
    EventConfig,
    Owner,
    RevisionChanged,
    Version,
)
from cloche.foundation.clock import Clock
from cloche.foundation.errors import AlreadyExists, Conflict, Invalid, NotFound
from cloche.storage.metadata import tags
from cloche.storage.metadata.database import Database

T = TypeVar("T")


class Registry:
    """``changed`` is called after every write that may change what a name means; ``concurrency`` is the account's."""

    def __init__(self, database: Database, clock: Clock, changed: Callable[[], None], concurrency: int) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed
        self._concurrency = concurrency

    # -- functions and versions --------------------------------------------------------------------------

    def create(self, owner: Owner, configuration: Configuration, code: Code, pairs: list[tuple[str, str]]) -> Version:
        """Raises ``AlreadyExists``."""
        made = Version(owner, 0, configuration, code, self._clock.time(), _new(), _new(), PENDING)

        def change(tx: sqlite3.Connection) -> Version:
            rows.add_function(tx, made)
            tags.put(tx, owner.arn, pairs)
            return made

        return self._write(change)

    def update(self, owner: Owner, change: Callable[[Version], Version], revision: str) -> Version:
        """``change`` answers ``$LATEST`` as it is to be from now on. Raises ``NotFound``, ``RevisionChanged``."""

        def apply(tx: sqlite3.Connection) -> Version:
            held = rows.version(tx, owner, LATEST)
            require_revision(revision, held.revision)
            new = replace(change(held), modified_at=self._clock.time(), revision=_new(), serial=_new())
            rows.put_version(tx, new)
            return new

        return self._write(apply)

    def publish(self, owner: Owner, description: str | None, sha256: str, revision: str) -> Version:
        """``$LATEST`` as a version with the next number; the last published one where nothing has changed since."""

        def change(tx: sqlite3.Connection) -> Version:
            held = rows.version(tx, owner, LATEST)
            require_revision(revision, held.revision)
            if sha256 and sha256 != held.code.sha256:
                raise Invalid(
                    f"CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({held.code.sha256}). "
                    "Please try again with the CodeSHA256 in $LATEST.",
                    field="CodeSha256",
                )
            configuration = held.configuration
            if description is not None:
                configuration = replace(configuration, description=description)
            last = rows.last_version(tx, owner)
            if last and (before := _read(tx, owner, last)) is not None:
                same = replace(before.configuration, description="") == replace(configuration, description="")
                if same and before.code == held.code:
                    return before
            number = rows.next_version(tx, owner)
            made = replace(held, number=number, configuration=configuration, revision=_new(), serial=_new())
            rows.put_version(tx, made)
            return made

        return self._write(change)

    def delete(self, owner: Owner, qualifier: str) -> None:
        """All of the function where ``qualifier`` is empty. Raises ``NotFound``, ``Conflict`` for a version that an
        alias names, ``Invalid`` for ``$LATEST``."""

        def change(tx: sqlite3.Connection) -> None:
            if not qualifier:
                rows.remove_function(tx, owner)
                tags.remove(tx, owner.arn, [key for key, _ in tags.read(tx, owner.arn)])
                tx.execute("DELETE FROM tagged WHERE arn = ?", (owner.arn,))
                return
            if qualifier == LATEST:
                raise Invalid("$LATEST version cannot be deleted without deleting the function.", field="Qualifier")
            rows.last_version(tx, owner)
            found = rows.aliases(tx, owner).rows
            names = [a.name for a in map(rows.alias_of_row, found) if qualifier in (a.version, *a.weights)]
            if names:
                raise Conflict(
                    f"Version {owner.arn}:{qualifier} has aliases and cannot be deleted. First delete or update the "
                    f"aliases: {', '.join(names)}"
                )
            rows.remove_version(tx, owner, int(qualifier))

        self._write(change)

    def ready(self, version: Version, state: str, reason: str = "") -> None:
        """A function that was pending no longer is; nothing where it has gone meanwhile."""

        def change(tx: sqlite3.Connection) -> None:
            held = _read(tx, version.owner, version.number)
            if held is not None and held.state == PENDING:
                rows.put_version(tx, replace(held, state=state, reason=reason))

        self._write(change)

    # -- aliases -----------------------------------------------------------------------------------------

    def create_alias(self, owner: Owner, alias: Alias) -> Alias:
        """Raises ``AlreadyExists``, ``NotFound`` for the function or a version."""

        def change(tx: sqlite3.Connection) -> Alias:
            if rows.alias(tx, owner, alias.name) is not None:
                raise AlreadyExists(f"Alias already exists: {owner.arn}:{alias.name}")
            return _kept(tx, owner, alias)

        return self._write(change)

    def update_alias(self, owner: Owner, name: str, changes: Mapping[str, Any], revision: str) -> Alias:
        def change(tx: sqlite3.Connection) -> Alias:
            held = rows.alias(tx, owner, name)
            if held is None:
                raise missing_alias(owner, name)
            require_revision(revision, held.revision)
            return _kept(tx, owner, replace(held, **changes))

        return self._write(change)

    def delete_alias(self, owner: Owner, name: str) -> None:
        """Nothing happens where it is not there (the model has no error for it)."""

        def change(tx: sqlite3.Connection) -> None:
            rows.last_version(tx, owner)
            rows.remove_alias(tx, owner, name)
            rows.remove_event_config(tx, owner, name)

        self._write(change)

    # -- concurrency and asynchronous invocation ---------------------------------------------------------

    def reserve(self, owner: Owner, count: int | None) -> None:
        """Raises ``NotFound``, ``Invalid`` where too little would be left for the others."""

        def change(tx: sqlite3.Connection) -> None:
            rows.reserved(tx, owner)
            others = rows.reserved_together(tx, owner.account, owner.region, but=owner.name)
            if count is not None and self._concurrency - others - count < UNRESERVED_MIN:
                raise Invalid(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}].",
                    field="ReservedConcurrentExecutions",
                )
            rows.reserve(tx, owner, count)

        self._write(change)

    def configure_events(self, owner: Owner, config: EventConfig, *, changes: Mapping[str, Any] | None) -> EventConfig:
        """Keep ``config``, or with ``changes`` change the one that is there. Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> EventConfig:
            resolve(tx, owner, config.qualifier)
            kept = config
            if changes is not None:
                held = rows.event_config(tx, owner, config.qualifier)
                if held is None:
                    raise missing_event_config(owner, config.qualifier)
                kept = replace(held, modified_at=config.modified_at, **changes)
            rows.put_event_config(tx, owner, kept)
            return kept

        return self._write(change)

    def forget_events(self, owner: Owner, qualifier: str) -> None:
        """Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> None:
            if not rows.remove_event_config(tx, owner, qualifier):
                raise missing_event_config(owner, qualifier)

        self._write(change)

    def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._database.write(change)
        finally:
            self._changed()


def require_revision(wanted: str, held: str) -> None:
    if wanted and wanted != held:
        raise RevisionChanged(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id"
        )


def missing_alias(owner: Owner, name: str) -> NotFound:
    return NotFound(f"Cannot find alias arn: {owner.arn}:{name}")


def missing_event_config(owner: Owner, qualifier: str) -> NotFound:
    return NotFound(f"The function {owner.arn}:{qualifier} doesn't have an EventInvokeConfig")


def resolve(connection: sqlite3.Connection, owner: Owner, qualifier: str) -> tuple[Version, Alias | None]:
    """The version that a qualifier names, and the alias by which it does. Raises ``NotFound``."""
    if qualifier == LATEST or qualifier.isdecimal():
        return rows.version(connection, owner, qualifier), None
    alias = rows.alias(connection, owner, qualifier)
    if alias is None:
        rows.version(connection, owner, LATEST)
        raise missing_alias(owner, qualifier)
    return rows.version(connection, owner, alias.version), alias


def _kept(tx: sqlite3.Connection, owner: Owner, alias: Alias) -> Alias:
    kept = replace(alias, revision=_new())
    for version in (kept.version, *kept.weights):
        rows.version(tx, owner, version)
    if kept.version in kept.weights:
        raise Invalid("AdditionalVersionWeights may not name the alias's own version", field="RoutingConfig")
    if kept.weights and LATEST in (kept.version, *kept.weights):
        raise Invalid("$LATEST is not supported for an alias pointing to more than 1 version", field="RoutingConfig")
    rows.put_alias(tx, owner, kept)
    return kept


def _read(connection: sqlite3.Connection, owner: Owner, number: int) -> Version | None:
    try:
        return rows.version(connection, owner, str(number) if number else LATEST)
    except NotFound:
        return None


def _new() -> str:
    return str(uuid.uuid4())
