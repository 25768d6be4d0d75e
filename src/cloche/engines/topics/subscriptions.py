"""Subscriptions in their rows. Functions that take ``tx`` run in a transaction of the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from cloche.storage.metadata.keyset import Key, Walk, read_page

PENDING_SECONDS_MAX: Final = 172_800
"""docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html and …/api/API_ConfirmSubscription.html: "tokens are
valid for two days"; a subscription that nobody confirmed by then goes."""


@dataclass(frozen=True, slots=True)
class Subscription:
    id: int
    arn: str
    topic_arn: str
    account: str
    region: str
    protocol: str
    endpoint: str
    attributes: Mapping[str, str]
    """What its owner set, in the service's words."""
    principal: str
    token: str
    """What confirms it."""
    pending: bool
    authenticated: bool
    """Was it confirmed by somebody who signed?"""
    signed_unsubscribe: bool
    """May only its owner, or the topic's, end it?"""
    created_at: float

    @property
    def raw(self) -> bool:
        return self.attributes.get("RawMessageDelivery") == "true"


@lru_cache(maxsize=4_096)
def _read_attributes(text: str) -> Mapping[str, str]:
    found: dict[str, str] = orjson.loads(text)
    return found


def from_row(row: sqlite3.Row) -> Subscription:
    columns: dict[str, Any] = dict(row)
    columns["attributes"] = _read_attributes(columns["attributes"])
    for name in ("pending", "authenticated", "signed_unsubscribe"):
        columns[name] = bool(columns[name])
    return Subscription(**columns)


def find(connection: sqlite3.Connection, arn: str) -> Subscription | None:
    row = connection.execute("SELECT * FROM topic_subscriptions WHERE arn = ?", (arn,)).fetchone()
    return None if row is None else from_row(row)


def find_token(connection: sqlite3.Connection, topic_arn: str, token: str) -> Subscription | None:
    row = connection.execute(
        "SELECT * FROM topic_subscriptions WHERE topic_arn = ? AND token = ?", (topic_arn, token)
    ).fetchone()
    return None if row is None else from_row(row)


def find_endpoint(connection: sqlite3.Connection, topic_arn: str, protocol: str, endpoint: str) -> Subscription | None:
    row = connection.execute(
        "SELECT * FROM topic_subscriptions WHERE topic_arn = ? AND protocol = ? AND endpoint = ?",
        (topic_arn, protocol, endpoint),
    ).fetchone()
    return None if row is None else from_row(row)


def confirmed_of(connection: sqlite3.Connection, topic_arn: str) -> list[Subscription]:
    rows = connection.execute("SELECT * FROM topic_subscriptions WHERE topic_arn = ? AND NOT pending", (topic_arn,))
    return [from_row(row) for row in rows]


def insert(tx: sqlite3.Connection, made: Subscription) -> None:
    tx.execute(
        "INSERT INTO topic_subscriptions (arn, topic_arn, account, region, protocol, endpoint, attributes, principal,"
        " token, pending, authenticated, signed_unsubscribe, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            made.arn,
            made.topic_arn,
            made.account,
            made.region,
            made.protocol,
            made.endpoint,
            orjson.dumps(dict(made.attributes)).decode(),
            made.principal,
            made.token,
            int(made.pending),
            int(made.authenticated),
            int(made.signed_unsubscribe),
            made.created_at,
        ),
    )


def confirm(tx: sqlite3.Connection, arn: str, *, authenticated: bool, signed_unsubscribe: bool) -> None:
    tx.execute(
        "UPDATE topic_subscriptions SET pending = 0, authenticated = ?, signed_unsubscribe = ? WHERE arn = ?",
        (int(authenticated), int(signed_unsubscribe), arn),
    )


def set_attributes(tx: sqlite3.Connection, arn: str, attributes: Mapping[str, str]) -> bool:
    text = orjson.dumps(dict(attributes)).decode()
    return tx.execute("UPDATE topic_subscriptions SET attributes = ? WHERE arn = ?", (text, arn)).rowcount > 0


def remove(tx: sqlite3.Connection, arn: str) -> bool:
    return tx.execute("DELETE FROM topic_subscriptions WHERE arn = ?", (arn,)).rowcount > 0


def counts(connection: sqlite3.Connection, topic_arn: str) -> tuple[int, int]:
    """(confirmed, pending)."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE NOT pending), count(*) FILTER (WHERE pending)"
        " FROM topic_subscriptions WHERE topic_arn = ?",
        (topic_arn,),
    ).fetchone()
    return row[0], row[1]


def page(
    connection: sqlite3.Connection, conditions: Mapping[str, str], after: Key | None, size: int
) -> tuple[list[Subscription], Key | None]:
    """In the order of their making; ``conditions`` are columns with their values."""
    walk = Walk(
        "topic_subscriptions",
        ("id",),
        conditions=tuple(f"{column} = ?" for column in conditions),
        arguments=tuple(conditions.values()),
    )
    found = read_page(connection, walk, after=after, size=size)
    return [from_row(row) for row in found.rows], found.last
