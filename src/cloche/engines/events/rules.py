"""Rules with their targets: where they are kept, and the compiled ones of each bus."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloche.engines.events.pattern import Pattern, compile_pattern
from cloche.foundation.errors import Invalid
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)

RULE: Final = "events/Rule"
BUS: Final = "events/EventBus"
DEFAULT_BUS: Final = "default"
Bus = tuple[str, str, str]
"""Account, region, name."""


@dataclass(frozen=True, slots=True)
class Rule:
    arn: str
    pattern: Pattern


class RulesOfBus:
    """Those of one bus. What most patterns name, the source, leads to the few that are to be held against an event."""

    def __init__(self) -> None:
        self._by_source: dict[str, list[Rule]] = {}
        self._of_any: list[Rule] = []

    def add(self, rule: Rule) -> None:
        if rule.pattern.sources is None:
            self._of_any.append(rule)
        else:
            for source in rule.pattern.sources:
                self._by_source.setdefault(source, []).append(rule)

    def that_may_match(self, source: str, detail_type: str) -> Iterator[Rule]:
        for rules in (self._by_source.get(source, ()), self._of_any):
            for rule in rules:
                if rule.pattern.may_match(source, detail_type):
                    yield rule


_NONE: Final = RulesOfBus()


def filed_name(bus: str, rule: str) -> str:
    """Under which a rule is kept; a bus's name may hold slashes, a rule's may not."""
    return f"{bus}/{rule}"


def bus_of(filed: str) -> str:
    return filed.rpartition("/")[0]


def targets_of(connection: sqlite3.Connection, rule_arn: str) -> list[dict[str, Any]]:
    """By id."""
    rows = connection.execute("SELECT target FROM event_targets WHERE rule_arn = ? ORDER BY id", (rule_arn,))
    return [orjson.loads(row[0]) for row in rows]


def put_target(tx: sqlite3.Connection, account: str, region: str, rule_arn: str, target: Mapping[str, Any]) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO event_targets VALUES (?, ?, ?, ?, ?, ?)",
        (rule_arn, target["Id"], account, region, target["Arn"], orjson.dumps(dict(target)).decode()),
    )


def remove_target(tx: sqlite3.Connection, rule_arn: str, id: str) -> bool:
    return tx.execute("DELETE FROM event_targets WHERE rule_arn = ? AND id = ?", (rule_arn, id)).rowcount > 0


def rule_arns_of_target(connection: sqlite3.Connection, account: str, region: str, arn: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT rule_arn FROM event_targets WHERE account = ? AND region = ? AND arn = ? ORDER BY rule_arn",
        (account, region, arn),
    )
    return [row[0] for row in rows]


class Rules:
    """The enabled rules of all buses, compiled, until ``changed`` says that they are others."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: Mapping[Bus, RulesOfBus] | None = None

    def changed(self) -> None:
        """A rule was put, removed, enabled or disabled, and the change is on the disk."""
        with self._lock:
            self._held = None

    def of(self, bus: Bus, connection: sqlite3.Connection | None = None) -> RulesOfBus:
        held = self._held
        if held is None:
            with self._lock:
                if self._held is None:
                    self._held = self._read(connection or self._database.reader)
                held = self._held
        return held.get(bus, _NONE)

    def _read(self, connection: sqlite3.Connection) -> Mapping[Bus, RulesOfBus]:
        found: defaultdict[Bus, RulesOfBus] = defaultdict(RulesOfBus)
        rows = connection.execute("SELECT * FROM records WHERE kind = ? AND status = 'ENABLED'", (RULE,))
        for record in map(records.from_row, rows.fetchall()):
            pattern = record.request.get("EventPattern")
            if pattern is None:  # it has a schedule alone
                continue
            try:
                made = Rule(record.arn, compile_pattern(pattern))
            except Invalid as error:  # it was sound when it was put
                log.error("the pattern of %s cannot be read any more: %s", record.arn, error.message)
                continue
            found[record.account, record.region, bus_of(record.name)].add(made)
        return found
