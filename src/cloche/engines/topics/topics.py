"""``Topics``: topics made and removed, subscriptions with their confirmation, and publishing.

Publishing is one transaction: what goes to queues and functions is in their tables when it ends, what goes to HTTP
endpoints and mail servers is owed in the outbox. Whoever was answered lost nothing to a kill.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from cloche.engines.topics import subscriptions as rows
from cloche.engines.topics.fanout import Fanout
from cloche.engines.topics.filtering import Compile
from cloche.engines.topics.message import CONFIRMATION, GOODBYE, Message, Notice, Signer
from cloche.engines.topics.owed import Owed, Send
from cloche.engines.topics.receiving import Receiver
from cloche.engines.topics.subscriptions import PENDING_SECONDS_MAX, Subscription
from cloche.foundation.clock import Clock
from cloche.foundation.errors import AlreadyExists, Invalid, NotFound
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record
from cloche.storage.metrics import MetricStore

TOPIC: Final = "sns/Topic"
DEDUPLICATION_SECONDS: Final = 300
"""docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html: "within a five-minute deduplication interval"."""
NO_TOPIC: Final = "Topic does not exist"
NO_SUBSCRIPTION: Final = "Subscription does not exist"


@dataclass(frozen=True, slots=True)
class Topic:
    arn: str
    account: str
    region: str
    name: str
    attributes: Mapping[str, str]
    """What its owner set, in the service's words."""
    deleted: int = 0
    """How many of its subscriptions have ended."""

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @property
    def signature_version(self) -> str:
        return self.attributes.get("SignatureVersion", "1")


@dataclass(frozen=True, slots=True)
class Published:
    message_id: str
    sequence: str = ""


def topic_arn(account: str, region: str, name: str) -> str:
    return f"arn:aws:sns:{region}:{account}:{name}"


class Topics:
    """``receivers`` by protocol (``sqs``, ``lambda``): who takes what stays in this database. ``senders`` likewise
    (``http``, ``https``, ``smtp``): who carries what is owed outside."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        receivers: Mapping[str, Receiver],
        senders: Mapping[str, Send],
        signer: Signer,
        compile_filter: Compile,
    ) -> None:
        self._database, self._clock, self.signer = database, clock, signer
        self.fanout = Fanout(database, clock, metrics, receivers, compile_filter, mails="smtp" in senders)
        self.owed = Owed(database, clock, self.fanout, senders)

    def start(self) -> None:
        self.owed.start()

    def stop(self) -> None:
        self.owed.stop()

    # -- topics ------------------------------------------------------------------------------------------

    def find(self, connection: sqlite3.Connection, arn: str) -> Topic:
        """Raises ``NotFound``."""
        record = records.find_arn(connection, arn)
        if record is None or record.kind != TOPIC:
            raise NotFound(NO_TOPIC)
        return topic_of(record)

    def get(self, arn: str) -> Topic:
        return self.find(self._database.reader, arn)

    def create(
        self, account: str, region: str, name: str, attributes: Mapping[str, str], pairs: Sequence[tuple[str, str]]
    ) -> Topic:
        """Raises ``AlreadyExists``."""
        arn = topic_arn(account, region, name)

        def change(tx: sqlite3.Connection) -> Topic:
            at = self._clock.time()
            made = records.insert(
                tx, account=account, region=region, kind=TOPIC, name=name, arn=arn, at=at, request=dict(attributes)
            )
            tags.put(tx, arn, pairs)
            return topic_of(made)

        return self._database.write(change)

    def configure(self, arn: str, attributes: Mapping[str, str]) -> None:
        """Raises ``NotFound``."""
        self._database.write(lambda tx: records.replace_request(tx, arn, dict(attributes), self._clock.time()))

    def delete(self, arn: str) -> None:
        """The topic with its subscriptions; what is owed to their endpoints already is still delivered."""

        def change(tx: sqlite3.Connection) -> None:
            records.remove(tx, arn)
            tx.execute("DELETE FROM topic_subscriptions WHERE topic_arn = ?", (arn,))
            tx.execute("DELETE FROM topic_published WHERE topic_arn = ?", (arn,))

        self._database.write(change)

    def abandon(self, account: str) -> None:
        """The account is emptied: what others have subscribed to of it ends. Its own rows are swept with all others."""
        sql = "DELETE FROM topic_subscriptions WHERE topic_arn GLOB ?"
        self._database.write(lambda tx: tx.execute(sql, (f"arn:aws:sns:*:{account}:*",)) and None)

    # -- subscriptions -----------------------------------------------------------------------------------

    def subscribe(
        self,
        topic: Topic,
        account: str,
        protocol: str,
        endpoint: str,
        attributes: Mapping[str, str],
        principal: str,
        *,
        confirmed: bool,
    ) -> Subscription:
        """One that is there already is answered as it is, and asked again to confirm where it has not. Raises
        ``NotFound``; ``AlreadyExists`` for other attributes; what the receiver of a confirmation raises."""

        def change(tx: sqlite3.Connection) -> Subscription:
            self.find(tx, topic.arn)
            found = rows.find_endpoint(tx, topic.arn, protocol, endpoint)
            if found is not None and any(found.attributes.get(name) != text for name, text in attributes.items()):
                raise AlreadyExists("Subscription already exists with different attributes")
            made = found or self._new(topic, account, protocol, endpoint, attributes, principal, confirmed)
            if found is None:
                rows.insert(tx, made)
            if made.pending:
                self._ask(tx, topic, made, CONFIRMATION)
            return made

        return self._database.write(change)

    def _new(
        self,
        topic: Topic,
        account: str,
        protocol: str,
        endpoint: str,
        attributes: Mapping[str, str],
        principal: str,
        confirmed: bool,
    ) -> Subscription:
        return Subscription(
            0,
            f"{topic.arn}:{uuid.uuid4()}",
            topic.arn,
            account,
            topic.region,
            protocol,
            endpoint,
            attributes,
            principal,
            _new_token(),
            pending=not confirmed,
            authenticated=confirmed,
            signed_unsubscribe=False,
            created_at=self._clock.time(),
        )

    def confirm(self, topic_arn: str, token: str, *, authenticated: bool, signed_unsubscribe: bool) -> Subscription:
        """Raises ``NotFound`` for a topic, ``Invalid`` for a token that is not, or no longer, good."""

        def change(tx: sqlite3.Connection) -> Subscription:
            self.find(tx, topic_arn)
            found = rows.find_token(tx, topic_arn, token)
            if found is None:
                raise Invalid("Invalid parameter: Token")
            if found.pending:
                if found.created_at + PENDING_SECONDS_MAX <= self._clock.time():
                    raise Invalid("Invalid parameter: Token")
                rows.confirm(tx, found.arn, authenticated=authenticated, signed_unsubscribe=signed_unsubscribe)
            return found

        return self._database.write(change)

    def unsubscribe(self, subscription: Subscription, *, tell: bool) -> None:
        """``tell``: its endpoint learns of it, and how to come back."""

        def change(tx: sqlite3.Connection) -> None:
            if not rows.remove(tx, subscription.arn):
                return
            record = records.find_arn(tx, subscription.topic_arn)
            if record is None:
                return
            topic = topic_of(record)
            records.set_status(tx, topic.arn, state={"deleted": topic.deleted + 1})
            if tell:
                again = self._return_of(subscription)
                rows.insert(tx, again)
                self._ask(tx, topic, again, GOODBYE)

        self._database.write(change)

    def _return_of(self, gone: Subscription) -> Subscription:
        """What waits for a change of mind: a pending subscription under a new token."""
        return replace(gone, token=_new_token(), pending=True, authenticated=False, created_at=self._clock.time())

    def set_subscription(self, arn: str, attributes: Mapping[str, str]) -> None:
        """Raises ``NotFound``."""
        if not self._database.write(lambda tx: rows.set_attributes(tx, arn, attributes)):
            raise NotFound(NO_SUBSCRIPTION)

    def subscription(self, arn: str) -> Subscription:
        """Raises ``NotFound``."""
        found = rows.find(self._database.reader, arn)
        if found is None:
            raise NotFound(NO_SUBSCRIPTION)
        return found

    def expire(self) -> None:
        """Pending subscriptions that nobody confirmed go; a housekeeper's."""
        until = self._clock.time() - PENDING_SECONDS_MAX
        sql = "topic_subscriptions WHERE pending AND created_at <= ?"
        if self._database.reader.execute(f"SELECT 1 FROM {sql}", (until,)).fetchone():  # noqa: S608 - a constant
            self._database.write(lambda tx: tx.execute(f"DELETE FROM {sql}", (until,)) and None)  # noqa: S608

    def _ask(self, tx: sqlite3.Connection, topic: Topic, subscription: Subscription, kind: str) -> None:
        if kind == CONFIRMATION:
            text = (
                f"You have chosen to subscribe to the topic {topic.arn}.\nTo confirm the subscription, visit the "
                "SubscribeURL included in this message."
            )
        else:
            text = (
                f"You have chosen to deactivate subscription {subscription.arn}.\nTo cancel this operation and restore "
                "the subscription, visit the SubscribeURL included in this message."
            )
        notice = self._notice(topic, Message(text), kind=kind, token=subscription.token)
        self.fanout.hand(tx, subscription, notice)

    # -- publishing --------------------------------------------------------------------------------------

    async def publish(self, topic: Topic, messages: Sequence[Message]) -> list[Published]:
        """All in one transaction, on the disk when answered. Raises ``NotFound`` where the topic has gone."""
        notices = [self._notice(topic, message) for message in messages]
        if (signed := self._to_sign(topic, notices)) is not None:
            await asyncio.to_thread(signed)  # a millisecond each: not on the loop, and not on the writer's thread
        return await asyncio.wrap_future(self._database.submit(lambda tx: self._publish(tx, topic.arn, notices)))

    def publish_within(self, tx: sqlite3.Connection, arn: str, message: Message) -> Published:
        """In a transaction of the caller's, whose cause is a row of this database, too. Raises ``NotFound``,
        ``Invalid`` for a FIFO topic's message without a group."""
        topic = self.find(tx, arn)
        if topic.fifo and not (message.group and message.deduplication):
            raise Invalid("Invalid parameter: The MessageGroupId parameter is required for FIFO topics")
        (published,) = self._publish(tx, arn, [self._notice(topic, message)])
        return published

    def _notice(self, topic: Topic, message: Message, **given: Any) -> Notice:
        at = datetime.fromtimestamp(self._clock.time(), UTC)
        stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
        version = topic.signature_version
        return Notice(message, topic.arn, str(uuid.uuid4()), stamp, self.signer, signature_version=version, **given)

    def _to_sign(self, topic: Topic, notices: Sequence[Notice]) -> Any:
        """What makes the signatures that subscribers are going to need, or ``None`` where they need none."""
        if topic.fifo:
            return None
        wanted = [
            (notice, notice.message.text_for(each.protocol))
            for each in rows.confirmed_of(self._database.reader, topic.arn)
            if not each.raw and each.protocol not in ("email", "sms")
            for notice in notices
            if not self.fanout.filters.refuses(each, notice.message)
        ]
        return (lambda: [notice.sign(text) for notice, text in wanted]) if wanted else None

    def _publish(self, tx: sqlite3.Connection, arn: str, notices: Sequence[Notice]) -> list[Published]:
        topic = self.find(tx, arn)
        subscribed = rows.confirmed_of(tx, arn)
        return [self._publish_one(tx, topic, subscribed, notice) for notice in notices]

    def _publish_one(
        self, tx: sqlite3.Connection, topic: Topic, subscribed: Sequence[Subscription], notice: Notice
    ) -> Published:
        published = Published(notice.id)
        if topic.fifo:
            known, published = self._in_order(tx, topic, notice)
            if known:
                return published
            notice.sequence = published.sequence
        self.fanout.spread(tx, topic.account, topic.region, subscribed, notice)
        return published

    def _in_order(self, tx: sqlite3.Connection, topic: Topic, notice: Notice) -> tuple[bool, Published]:
        """(published before?, as what). Sequence numbers have twenty digits, as SQS's."""
        now, message = self._clock.time(), notice.message
        scope = message.group if topic.attributes.get("FifoThroughputScope") == "MessageGroup" else ""
        tx.execute("DELETE FROM topic_published WHERE expires_at <= ?", (now,))
        known = tx.execute(
            "SELECT message_id, sequence FROM topic_published WHERE topic_arn = ? AND scope = ? AND deduplication = ?",
            (topic.arn, scope, message.deduplication),
        ).fetchone()
        if known is not None:
            return True, Published(known[0], f"{known[1]:020d}")
        made = tx.execute(
            "INSERT INTO topic_published (topic_arn, scope, deduplication, message_id, expires_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (topic.arn, scope, message.deduplication, notice.id, now + DEDUPLICATION_SECONDS),
        )
        return False, Published(notice.id, f"{made.lastrowid:020d}")


def topic_of(record: Record) -> Topic:
    deleted = record.state.get("deleted", 0)
    return Topic(record.arn, record.account, record.region, record.name, record.request, deleted)


def _new_token() -> str:
    return secrets.token_hex(96)
