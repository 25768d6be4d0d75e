"""Emptying one account while the server runs: its jobs and endpoints end, and all that is its own goes.

What runs is stopped before what it writes to is removed. Stores that keep bytes beside their rows are asked by name;
every other table that has an ``account`` column is swept last, so that a table that comes later is not forgotten.
Other accounts are not touched. The account itself, its root's key and its canonical id stay: clients go on with the
keys they have.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.services.parts import Parts

KEPT: Final = frozenset({"iam_accounts", "iam_keys", "s3_accounts"})
"""Tables with an account that are not swept: identity empties its own, canonical ids stay for ever."""


class Clearing:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def clear(self, account: str) -> None:
        """Takes as long as it takes to end processes. Raises ``NotFound`` for an account that is not held here."""
        parts = self._parts
        parts.identity.of(account)
        parts.monitoring.abandon(account)
        parts.autoscaling.abandon(account)
        parts.pipelines.abandon(account)
        parts.tuning.abandon(account)
        parts.validations.abandon(account)
        parts.training.abandon(account)
        parts.transforms.abandon(account)
        parts.processing.abandon(account)
        parts.hosting.abandon(account)
        parts.functions.abandon(account)
        parts.exports.abandon(account)
        parts.log_insights.abandon(account)
        parts.card_exports.abandon(account)
        parts.queues.abandon(account)
        parts.topics.abandon(account)
        parts.image_registry.abandon(account)
        for bucket in parts.objects.buckets.list(account, limit=1_000_000):
            parts.objects.buckets.remove_with_contents(bucket.name)
        for region, group in self._log_groups(account):
            parts.logs.delete_group(account, region, group)
        parts.metrics.flush()
        parts.database.write(lambda tx: _sweep(tx, account))
        parts.metric_filters.clear(account)
        parts.log_subscriptions.changed()
        parts.events.swept()
        parts.alarms.forget(account)
        parts.identity.clear_account(account)

    def _log_groups(self, account: str) -> list[tuple[str, str]]:
        rows = self._parts.database.reader.execute("SELECT region, name FROM log_groups WHERE account = ?", (account,))
        return [(row["region"], row["name"]) for row in rows]


def _sweep(tx: sqlite3.Connection, account: str) -> None:
    metrics = "SELECT id FROM metrics WHERE account = ?"
    tx.execute(f"DELETE FROM metric_points WHERE metric_id IN ({metrics})", (account,))  # noqa: S608 - our own words
    tx.execute("DELETE FROM tags WHERE arn GLOB ?", (f"arn:aws:*:*:{account}:*",))
    tx.execute("UPDATE s3_accounts SET configuration = '{}' WHERE account = ?", (account,))
    tables = tx.execute(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND c.name = 'account'"
    ).fetchall()
    for name in (row[0] for row in tables):
        if name not in KEPT and not name.startswith("iam_"):
            tx.execute(f"DELETE FROM {name} WHERE account = ?", (account,))  # noqa: S608 - a table's own name
