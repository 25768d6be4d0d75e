"""Whom a bus lets in from other accounts: a policy of its own, kept here in its own words. Reading one is a port's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from cloche.engines.events.rules import BUS, DEFAULT_BUS, Bus
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records

Admits = Callable[[str, str, str, str], bool]
"""Does a policy let an account put events on a bus? Of the policy's text, the bus's ARN, the account, and the ARN of
the rule it does it by (empty where it puts them itself)."""


class BusPolicies:
    def __init__(self, admits: Admits) -> None:
        self._admits = admits

    def read(self, connection: sqlite3.Connection, bus: Bus) -> str:
        """Empty where there is none."""
        row = connection.execute(
            "SELECT policy FROM event_bus_policies WHERE account = ? AND region = ? AND bus = ?", bus
        ).fetchone()
        return "" if row is None else str(row[0])

    def write(self, tx: sqlite3.Connection, bus: Bus, policy: str) -> None:
        """An empty one is none."""
        tx.execute("DELETE FROM event_bus_policies WHERE account = ? AND region = ? AND bus = ?", bus)
        if policy:
            tx.execute("INSERT INTO event_bus_policies VALUES (?, ?, ?, ?)", (*bus, policy))

    def let_in(self, connection: sqlite3.Connection, bus: Bus, account: str, rule_arn: str) -> bool:
        """May ``account`` put events on it? Raises ``NotFound`` for a bus that is not there; of whom it does not let in
        that is not told, either."""
        owner, region, name = bus
        arn = f"arn:aws:events:{region}:{owner}:event-bus/{name}"
        is_there = name == DEFAULT_BUS or records.find(connection, owner, region, BUS, name) is not None
        if owner == account:
            if not is_there:
                raise NotFound(f"Event bus {name} does not exist.")
            return True
        policy = self.read(connection, bus)
        return bool(policy) and is_there and self._admits(policy, arn, account, rule_arn)
