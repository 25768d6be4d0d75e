"""What accounts have asked for, and what of it is in use.

Use is noted in the transaction that creates a resource and goes with it: a trigger drops it when the resource's record
ends or goes. So the sum is right after a crash, and a refusal takes back all of the creation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from cloche.engines.quotas.catalogue import BUCKETS, IAM_NAMES, Quota
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Invalid, LimitReached
from cloche.storage.metadata.database import Database

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "quotas-1",
        """
CREATE TABLE quota_values (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    service TEXT NOT NULL,
    code TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (account, region, service, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE quota_requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    service TEXT NOT NULL,
    code TEXT NOT NULL,
    value REAL NOT NULL,
    requester TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;
CREATE INDEX quota_requests_by_quota ON quota_requests (account, region, service, code, number);
CREATE TABLE quota_use (
    arn TEXT NOT NULL,
    part TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    amount REAL NOT NULL,
    PRIMARY KEY (arn, part, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX quota_use_by_code ON quota_use (account, region, code);
CREATE TRIGGER quota_use_ends AFTER UPDATE OF status ON records WHEN NEW.status IN ('Completed', 'Failed', 'Stopped')
    BEGIN DELETE FROM quota_use WHERE arn = NEW.arn; END;
CREATE TRIGGER quota_use_goes AFTER DELETE ON records
    BEGIN DELETE FROM quota_use WHERE arn = OLD.arn; END
""",
    ),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """So much of a quota for a part of a resource (a variant of an endpoint)."""

    quota: Quota
    amount: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Requested:
    """A change that was asked for, and granted there and then."""

    number: int
    id: str
    service: str
    code: str
    value: float
    requester: str
    at: float


class Quotas:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # -- what holds ----------------------------------------------------------------------------------------

    def applied(self, account: str, region: str, quota: Quota) -> float | None:
        """What the account has asked for; ``None`` while it has not."""
        return _applied(self._database.reader, account, region, quota)

    def change(self, account: str, region: str, quota: Quota, value: float, requester: str) -> Requested:
        """Grant ``value``. Raises ``Invalid`` for a number that AWS would not grant."""
        if quota.most is not None and value > quota.most:
            raise Invalid(f"The requested quota value must not exceed {quota.most:g}.", field="DesiredValue")
        home = (account, _home(region, quota), quota.service, quota.code)
        request, now = uuid4().hex, self._clock.time()

        def write(tx: sqlite3.Connection) -> int:
            tx.execute("INSERT OR REPLACE INTO quota_values VALUES (?, ?, ?, ?, ?)", (*home, value))
            cursor = tx.execute(
                "INSERT INTO quota_requests (id, account, region, service, code, value, requester, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (request, *home, value, requester, now),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

        number = self._database.write(write)
        return Requested(number, request, quota.service, quota.code, value, requester, now)

    def history(
        self, account: str, region: str, *, service: str = "", code: str = "", before: int | None = None, limit: int
    ) -> list[Requested]:
        """Changes that were asked for, newest first: in this region, and of quotas that hold everywhere."""
        rows = self._database.reader.execute(
            "SELECT * FROM quota_requests WHERE account = ?1 AND region IN (?2, '') AND (?3 = '' OR service = ?3)"
            " AND (?4 = '' OR code = ?4) AND (?5 IS NULL OR number < ?5) ORDER BY number DESC LIMIT ?6",
            (account, region, service, code, before, limit),
        )
        return [_requested(row) for row in rows]

    def request(self, account: str, request_id: str) -> Requested | None:
        row = self._database.reader.execute(
            "SELECT * FROM quota_requests WHERE account = ? AND id = ?", (account, request_id)
        ).fetchone()
        return None if row is None else _requested(row)

    # -- what is used --------------------------------------------------------------------------------------

    def use(self, tx: sqlite3.Connection, arn: str, asked: Iterable[Asked]) -> None:
        """Note that the resource ``arn`` uses this from now on, in the place of what it used before. Raises
        ``LimitReached`` in SageMaker's words where that is more than the account has asked for; a quota that nobody
        has asked for does not hold."""
        wanted, before = list(asked), _used_by(tx, arn)
        tx.execute("DELETE FROM quota_use WHERE arn = ?", (arn,))
        for quota in dict.fromkeys(each.quota for each in wanted):
            mine = [each for each in wanted if each.quota == quota]
            held = sum(amount for each, amount in before if each.code == quota.code)
            _take(tx, arn, quota, {each.part: each.amount for each in mine}, held)

    def rescale(self, tx: sqlite3.Connection, arn: str, amounts: Mapping[str, int]) -> None:
        """Parts of the resource now use that much of what they use already. Raises as ``use``."""
        before = tx.execute("SELECT * FROM quota_use WHERE arn = ?", (arn,)).fetchall()
        used = [Asked(_quota_in(row), amounts.get(row["part"], int(row["amount"])), row["part"]) for row in before]
        self.use(tx, arn, used)

    def iam_limit(self, tx: sqlite3.Connection, account: str, name: str, most: int) -> int:
        """The quota that IAM calls ``name`` (``RolesPerAccount``), or ``most`` where none was asked for."""
        quota = IAM_NAMES.get(name)
        value = None if quota is None else _applied(tx, account, "", quota)
        return most if value is None else int(value)

    def iam_quota(self, account: str, name: str) -> int:
        """The same outside a transaction, with AWS's default."""
        quota = IAM_NAMES[name]
        assert quota.default is not None
        value = self.applied(account, "", quota)
        return int(quota.default if value is None else value)

    def bucket_limit(self, account: str) -> int:
        """How many buckets the account may have: AWS's default until it asks for more."""
        value = self.applied(account, "", BUCKETS)
        assert BUCKETS.default is not None
        return int(BUCKETS.default if value is None else value)


def _take(tx: sqlite3.Connection, arn: str, quota: Quota, amounts: Mapping[str, int], held: float) -> None:
    """``held`` is what the resource had before, and is not noted any more."""
    _, _, _, region, account, _ = arn.split(":", 5)
    limit, amount = _applied(tx, account, region, quota), sum(amounts.values())
    if limit is not None and amount > held:
        row = tx.execute(
            "SELECT coalesce(sum(amount), 0) FROM quota_use WHERE account = ? AND region = ? AND code = ?",
            (account, region, quota.code),
        ).fetchone()
        if row[0] + amount > limit:
            raise _exceeded(quota, limit, row[0] + held, amount - held)
    tx.executemany(
        "INSERT INTO quota_use VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(arn, part, account, region, quota.code, quota.name, each) for part, each in amounts.items()],
    )


def _exceeded(quota: Quota, limit: float, used: float, delta: float) -> LimitReached:
    """The words: gabehollombe-aws/jupyter-notebooks#1; their second half as many reports since 2023 have it."""
    return LimitReached(
        f"The account-level service limit '{quota.name}' is {limit:.0f} Instances, with current utilization of "
        f"{used:.0f} Instances and a request delta of {delta:.0f} Instances. Please use AWS Service Quotas to request "
        "an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
        "increase for this quota."
    )


def _applied(connection: sqlite3.Connection, account: str, region: str, quota: Quota) -> float | None:
    row = connection.execute(
        "SELECT value FROM quota_values WHERE account = ? AND region = ? AND service = ? AND code = ?",
        (account, _home(region, quota), quota.service, quota.code),
    ).fetchone()
    return None if row is None else float(row[0])


def _used_by(connection: sqlite3.Connection, arn: str) -> list[tuple[Quota, float]]:
    rows = connection.execute("SELECT * FROM quota_use WHERE arn = ?", (arn,))
    return [(_quota_in(row), row["amount"]) for row in rows]


def _quota_in(row: sqlite3.Row) -> Quota:
    """As far as use of it is noted: only SageMaker's is."""
    return Quota("sagemaker", row["code"], row["name"], None, "", enforced=True)


def _home(region: str, quota: Quota) -> str:
    return "" if quota.everywhere else region


def _requested(row: sqlite3.Row) -> Requested:
    return Requested(row["number"], row["id"], row["service"], row["code"], row["value"], row["requester"], row["at"])
