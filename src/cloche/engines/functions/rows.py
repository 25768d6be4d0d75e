"""Rows of functions, their versions, aliases and configurations. ``tx`` is the writer's connection, ``connection``
any."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from cloche.engines.functions.plan import LATEST, Alias, EventConfig, Owner, Version
from cloche.foundation.errors import AlreadyExists, NotFound
from cloche.storage.metadata.keyset import Key, Page, Walk, read_page

WHERE = "account = ? AND region = ? AND name = ?"


# -- functions and versions ------------------------------------------------------------------------------------


def add_function(tx: sqlite3.Connection, version: Version) -> None:
    """With its ``$LATEST``. Raises ``AlreadyExists``."""
    owner = version.owner
    try:
        tx.execute("INSERT INTO functions VALUES (?, ?, ?, ?, 0, NULL)", (*owner.key, version.modified_at))
    except sqlite3.IntegrityError:
        raise AlreadyExists(f"Function already exist: {owner.name}") from None
    put_version(tx, version)


def put_version(tx: sqlite3.Connection, version: Version) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO function_versions VALUES (?, ?, ?, ?, ?, ?)",
        (*version.owner.key, version.number, version.code.name, _text(version.document())),
    )


def version(connection: sqlite3.Connection, owner: Owner, qualifier: str) -> Version:
    """Raises ``NotFound``. ``qualifier`` is ``$LATEST`` or a number."""
    number = 0 if qualifier == LATEST else int(qualifier) if qualifier.isdecimal() and len(qualifier) < 12 else -1
    row = connection.execute(
        f"SELECT document FROM function_versions WHERE {WHERE} AND number = ?",  # noqa: S608 - our own words
        (*owner.key, number),
    ).fetchone()
    if row is None:
        raise missing(owner, qualifier)
    return Version.of(owner, number, orjson.loads(row["document"]))


def missing(owner: Owner, qualifier: str = LATEST) -> NotFound:
    """AWS's words: hashicorp/terraform-provider-aws and many others quote them."""
    end = "" if qualifier == LATEST else f":{qualifier}"
    return NotFound(f"Function not found: {owner.arn}{end}")


def versions(connection: sqlite3.Connection, owner: Owner, after: Key | None, size: int) -> Page:
    walk = Walk("function_versions", ("number",), conditions=_conditions(), arguments=owner.key)
    return read_page(connection, walk, after=after, size=size)


def latest_of_all(
    connection: sqlite3.Connection, account: str, region: str, every: bool, after: Key | None, size: int
) -> Page:
    """``$LATEST`` of each function in the order of names; with ``every``, all versions."""
    conditions = ("account = ?", "region = ?", *(() if every else ("number = 0",)))
    walk = Walk("function_versions", ("name", "number"), conditions=conditions, arguments=(account, region))
    return read_page(connection, walk, after=after, size=size)


def version_of_row(row: sqlite3.Row) -> Version:
    owner = Owner(row["account"], row["region"], row["name"])
    return Version.of(owner, row["number"], orjson.loads(row["document"]))


def pending(connection: sqlite3.Connection) -> Iterator[Version]:
    rows = connection.execute("SELECT * FROM function_versions WHERE json_extract(document, '$.state') = 'Pending'")
    return (version_of_row(row) for row in rows.fetchall())


def last_version(tx: sqlite3.Connection, owner: Owner) -> int:
    row = tx.execute(f"SELECT last_version FROM functions WHERE {WHERE}", owner.key).fetchone()  # noqa: S608
    if row is None:
        raise missing(owner)
    return int(row["last_version"])


def next_version(tx: sqlite3.Connection, owner: Owner) -> int:
    number = last_version(tx, owner) + 1
    tx.execute(f"UPDATE functions SET last_version = ? WHERE {WHERE}", (number, *owner.key))  # noqa: S608
    return number


def remove_function(tx: sqlite3.Connection, owner: Owner) -> None:
    """With all that is its own. Raises ``NotFound``."""
    if tx.execute(f"DELETE FROM functions WHERE {WHERE}", owner.key).rowcount == 0:  # noqa: S608
        raise missing(owner)
    for table in ("function_versions", "function_aliases", "function_event_configs", "function_events"):
        tx.execute(f"DELETE FROM {table} WHERE {WHERE}", owner.key)  # noqa: S608
    tx.execute(
        "DELETE FROM function_statements WHERE account = ? AND region = ? AND resource = ?",
        (owner.account, owner.region, f"function:{owner.name}"),
    )


def remove_version(tx: sqlite3.Connection, owner: Owner, number: int) -> None:
    """Nothing happens where it is not there (API_DeleteFunction.html)."""
    tx.execute(f"DELETE FROM function_versions WHERE {WHERE} AND number = ?", (*owner.key, number))  # noqa: S608


# -- concurrency -----------------------------------------------------------------------------------------------


def reserved(connection: sqlite3.Connection, owner: Owner) -> int | None:
    """Raises ``NotFound``."""
    row = connection.execute(f"SELECT reserved FROM functions WHERE {WHERE}", owner.key).fetchone()  # noqa: S608
    if row is None:
        raise missing(owner)
    held: int | None = row["reserved"]
    return held


def reserve(tx: sqlite3.Connection, owner: Owner, count: int | None) -> None:
    tx.execute(f"UPDATE functions SET reserved = ? WHERE {WHERE}", (count, *owner.key))  # noqa: S608


def reserved_together(connection: sqlite3.Connection, account: str, region: str, but: str = "") -> int:
    row = connection.execute(
        "SELECT coalesce(sum(reserved), 0) FROM functions WHERE account = ? AND region = ? AND name != ?",
        (account, region, but),
    ).fetchone()
    return int(row[0])


def totals(connection: sqlite3.Connection, account: str, region: str) -> tuple[int, int]:
    """How many functions there are, and the bytes of all their packages and of layers."""
    functions = connection.execute(
        "SELECT count(*) FROM functions WHERE account = ? AND region = ?", (account, region)
    ).fetchone()[0]
    size = "coalesce(sum(json_extract(document, '$.code.zipped_bytes')), 0)"
    total = 0
    for table in ("function_versions", "function_layer_versions"):
        sql = f"SELECT {size} FROM {table} WHERE account = ? AND region = ?"  # noqa: S608 - our own words
        total += connection.execute(sql, (account, region)).fetchone()[0]
    return int(functions), int(total)


# -- aliases ---------------------------------------------------------------------------------------------------


def alias(connection: sqlite3.Connection, owner: Owner, name: str) -> Alias | None:
    row = connection.execute(
        f"SELECT document FROM function_aliases WHERE {WHERE} AND alias = ?",  # noqa: S608
        (*owner.key, name),
    ).fetchone()
    return None if row is None else Alias(**orjson.loads(row["document"]))


def put_alias(tx: sqlite3.Connection, owner: Owner, held: Alias) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO function_aliases VALUES (?, ?, ?, ?, ?)",
        (*owner.key, held.name, _text(asdict(held))),
    )


def remove_alias(tx: sqlite3.Connection, owner: Owner, name: str) -> None:
    tx.execute(f"DELETE FROM function_aliases WHERE {WHERE} AND alias = ?", (*owner.key, name))  # noqa: S608


def aliases(connection: sqlite3.Connection, owner: Owner, after: Key | None = None, size: int = 1_000_000) -> Page:
    walk = Walk("function_aliases", ("alias",), conditions=_conditions(), arguments=owner.key)
    return read_page(connection, walk, after=after, size=size)


def alias_of_row(row: sqlite3.Row) -> Alias:
    return Alias(**orjson.loads(row["document"]))


# -- how asynchronous invocations are tried again ----------------------------------------------------------------


def event_config(connection: sqlite3.Connection, owner: Owner, qualifier: str) -> EventConfig | None:
    row = connection.execute(
        f"SELECT document FROM function_event_configs WHERE {WHERE} AND qualifier = ?",  # noqa: S608
        (*owner.key, qualifier),
    ).fetchone()
    return None if row is None else EventConfig(**orjson.loads(row["document"]))


def put_event_config(tx: sqlite3.Connection, owner: Owner, held: EventConfig) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO function_event_configs VALUES (?, ?, ?, ?, ?)",
        (*owner.key, held.qualifier, _text(asdict(held))),
    )


def remove_event_config(tx: sqlite3.Connection, owner: Owner, qualifier: str) -> bool:
    """Whether it was there."""
    sql = f"DELETE FROM function_event_configs WHERE {WHERE} AND qualifier = ?"  # noqa: S608
    return tx.execute(sql, (*owner.key, qualifier)).rowcount > 0


def event_configs(connection: sqlite3.Connection, owner: Owner, after: Key | None, size: int) -> Page:
    walk = Walk("function_event_configs", ("qualifier",), conditions=_conditions(), arguments=owner.key)
    return read_page(connection, walk, after=after, size=size)


def event_config_of_row(row: sqlite3.Row) -> EventConfig:
    return EventConfig(**orjson.loads(row["document"]))


# -- packages --------------------------------------------------------------------------------------------------


def codes(connection: sqlite3.Connection) -> set[str]:
    """The packages that some version or layer needs, those of layers that were deleted but are used still included."""
    found = {row[0] for row in connection.execute("SELECT DISTINCT code FROM function_versions")}
    found |= {row[0] for row in connection.execute("SELECT DISTINCT code FROM function_layer_versions")}
    used = "SELECT DISTINCT json_extract(l.value, '$.code') FROM function_versions v, "
    used += "json_each(v.document, '$.configuration.layers') l"
    return found | {row[0] for row in connection.execute(used)}


def _conditions() -> tuple[str, ...]:
    return ("account = ?", "region = ?", "name = ?")


def _text(document: Any) -> str:
    return orjson.dumps(document).decode()
