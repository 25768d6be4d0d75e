"""Resource policies of functions and of layers' versions: statements by their ids, one policy for each qualifier.

They are kept and given back as a policy document. Callers of the same account need none of them.
"""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from typing import Any, Final

import orjson

from cloche.engines.functions.plan import RevisionChanged
from cloche.foundation.errors import AlreadyExists, LimitReached, NotFound
from cloche.storage.metadata.database import Database

POLICY_BYTES_MAX: Final = 20 * 1024
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: "Function resource-based policy 20 KB"."""
Where = tuple[str, str, str, str]
"""account, region, resource (``function:name``, ``layer:name:1``), qualifier (empty: the resource itself)."""
_OF = "account = ? AND region = ? AND resource = ? AND qualifier = ?"


class Statements:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, where: Where, sid: str, statement: dict[str, Any], revision: str) -> None:
        """``revision`` is the policy's that the caller has seen, or empty. Raises ``AlreadyExists``,
        ``RevisionChanged``, and ``LimitReached`` for a policy too long."""

        def change(tx: sqlite3.Connection) -> None:
            _require(tx, where, revision)
            row = tx.execute(
                f"SELECT coalesce(max(position), 0) + 1 FROM function_statements WHERE {_OF}",  # noqa: S608
                where,
            ).fetchone()
            try:
                values = (*where, sid, int(row[0]), orjson.dumps(statement).decode())
                tx.execute("INSERT INTO function_statements VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            except sqlite3.IntegrityError:
                raise AlreadyExists(
                    f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove "
                    "the existing statement."
                ) from None
            if len(orjson.dumps(_read(tx, where))) > POLICY_BYTES_MAX:
                raise LimitReached(f"The final policy size is bigger than the limit ({POLICY_BYTES_MAX}).")

        self._database.write(change)

    def remove(self, where: Where, sid: str, revision: str) -> None:
        """Raises ``NotFound``, and ``RevisionChanged`` for another revision."""

        def change(tx: sqlite3.Connection) -> None:
            _require(tx, where, revision)
            done = tx.execute(f"DELETE FROM function_statements WHERE {_OF} AND sid = ?", (*where, sid))  # noqa: S608
            if done.rowcount == 0:
                raise NotFound(f"Statement {sid} is not found in resource policy.")

        self._database.write(change)

    def read(self, where: Where) -> list[dict[str, Any]]:
        """In the order in which they were added."""
        return _read(self._database.reader, where)

    def revision(self, where: Where) -> str:
        """Changes with the policy."""
        return _revision(self._database.reader, where)


def _read(connection: sqlite3.Connection, where: Where) -> list[dict[str, Any]]:
    sql = f"SELECT document FROM function_statements WHERE {_OF} ORDER BY position"  # noqa: S608 - our own words
    return [orjson.loads(row["document"]) for row in connection.execute(sql, where)]


def _revision(connection: sqlite3.Connection, where: Where) -> str:
    digest = hashlib.sha256(orjson.dumps([list(where), _read(connection, where)])).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _require(tx: sqlite3.Connection, where: Where, revision: str) -> None:
    if revision and revision != _revision(tx, where):
        # API_AddPermission.html: PreconditionFailedException, "The RevisionId provided does not match".
        raise RevisionChanged(
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the "
            "latest Revision Id"
        )
