"""The outbox of e-mail: what would have been sent, for people to read; and sent, where there is a mail server.

Subjects are SNS's own (docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from cloche.engines.topics.message import CONFIRMATION, GOODBYE, NOTIFICATION, Notice
from cloche.engines.topics.subscriptions import Subscription

KEPT_MAX: Final = 10_000
"""Of an account, in a region: the newest."""
SUBJECTS: Final = {
    CONFIRMATION: "AWS Notification - Subscription Confirmation",
    GOODBYE: "AWS Notification - Unsubscribe Confirmation",
    NOTIFICATION: "AWS Notification Message",
}


@dataclass(frozen=True, slots=True)
class Mail:
    id: int
    account: str
    region: str
    topic_arn: str
    recipient: str
    subject: str
    body: str
    written_at: float
    sent_at: float | None


def write(tx: sqlite3.Connection, subscription: Subscription, notice: Notice, at: float) -> int:
    """Its id."""
    subject = notice.message.subject or SUBJECTS[notice.kind]
    body = (
        notice.envelope("email-json", subscription.arn)
        if subscription.protocol == "email-json"
        else _text(subscription, notice)
    )
    account = subscription.topic_arn.split(":")[4]
    made = tx.execute(
        "INSERT INTO topic_mails (account, region, topic_arn, recipient, subject, body, written_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (account, subscription.region, subscription.topic_arn, subscription.endpoint, subject, body, at),
    )
    assert made.lastrowid is not None
    if made.lastrowid % 100 == 0:
        tx.execute(
            "DELETE FROM topic_mails WHERE account = ? AND region = ? AND id <= (SELECT id FROM topic_mails"
            " WHERE account = ? AND region = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (account, subscription.region, account, subscription.region, KEPT_MAX),
        )
    return made.lastrowid


def _text(subscription: Subscription, notice: Notice) -> str:
    text = notice.message.text_for("email")
    if notice.kind != NOTIFICATION:
        return f"{text}\n\n{notice.confirm_url}\n"
    link = f"{notice.unsubscribe_url(subscription.arn)}&Endpoint={subscription.endpoint}"
    return f"{text}\n\n--\nTo stop receiving notifications from this topic, visit\n{link}\n"


def find(connection: sqlite3.Connection, id: int) -> Mail | None:
    row = connection.execute("SELECT * FROM topic_mails WHERE id = ?", (id,)).fetchone()
    return None if row is None else Mail(*row)


def sent(tx: sqlite3.Connection, id: int, at: float) -> None:
    tx.execute("UPDATE topic_mails SET sent_at = ? WHERE id = ?", (at, id))


def newest(connection: sqlite3.Connection, account: str, region: str, limit: int = 200) -> list[Mail]:
    rows = connection.execute(
        "SELECT * FROM topic_mails WHERE account = ? AND region = ? ORDER BY id DESC LIMIT ?", (account, region, limit)
    )
    return [Mail(*row) for row in rows]
