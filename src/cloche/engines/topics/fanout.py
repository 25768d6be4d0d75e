"""How a notice reaches its subscribers: at once what lives in this database, into the outbox what does not.

A receiver that refuses, because there is no such queue or it lets nobody in, is a client error: it is not tried again,
and the notice goes to the subscription's dead-letter queue.

docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from cloche.engines.topics import mails
from cloche.engines.topics.filtering import Compile, Filters
from cloche.engines.topics.message import NOTIFICATION, Notice
from cloche.engines.topics.receiving import Parcel, Receiver
from cloche.engines.topics.subscriptions import Subscription
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, NotFound
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore

log = logging.getLogger(__name__)

NAMESPACE: Final = "AWS/SNS"


class Fanout:
    """``mails``: is there a mail server that what is written into the outbox goes on to?"""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        receivers: Mapping[str, Receiver],
        compile_filter: Compile,
        *,
        mails: bool,
    ) -> None:
        self._database, self._clock, self._metrics = database, clock, metrics
        self._receivers, self._mails = receivers, mails
        self.filters = Filters(compile_filter)
        self.when_owed: Callable[[], None] = lambda: None

    def spread(
        self, tx: sqlite3.Connection, account: str, region: str, subscribed: Sequence[Subscription], notice: Notice
    ) -> None:
        """To all that want it; what comes of it is counted as the topic's."""
        counts: dict[str, float] = {"NumberOfMessagesPublished": 1}
        for each in subscribed:
            why_not = self.filters.refuses(each, notice.message)
            names = ["NumberOfNotificationsFilteredOut", why_not] if why_not else self.hand(tx, each, notice)
            for name in names:
                counts[name] = counts.get(name, 0) + 1
        self.count(notice.topic_arn, counts, published_bytes=len(notice.message.text.encode()))

    def hand(self, tx: sqlite3.Connection, subscription: Subscription, notice: Notice) -> list[str]:
        """To one; the names of the metrics that count what came of it."""
        protocol = subscription.protocol
        if protocol in ("http", "https"):
            self._owe(tx, subscription, _http_parcel(subscription, notice))
            return []
        if protocol in ("email", "email-json"):
            self._mail(tx, subscription, notice)
            return ["NumberOfNotificationsDelivered"]
        parcel = _parcel(subscription, notice)
        tx.execute("SAVEPOINT notice")
        try:
            receiver = self._receivers.get(protocol)
            if receiver is None:
                raise NotFound(f"Nothing here takes notifications by {protocol}.")
            receiver.deliver(tx, parcel)
        except ClocheError as error:
            tx.execute("ROLLBACK TO notice")
            log.warning("a notification for %s was not taken: %s", subscription.endpoint, error.message)
            return [
                "NumberOfNotificationsFailed",
                *self.bury(tx, subscription.attributes, _letter(subscription, notice)),
            ]
        finally:
            tx.execute("RELEASE notice")
        return ["NumberOfNotificationsDelivered"]

    def bury(self, tx: sqlite3.Connection, attributes: Mapping[str, str], letter: Parcel) -> list[str]:
        """To the dead-letter queue that the subscription's attributes name, if they do; the names of the metrics."""
        policy = attributes.get("RedrivePolicy")
        if not policy:
            return []
        arn = orjson.loads(policy)["deadLetterTargetArn"]
        buried = Parcel(
            letter.account, letter.topic_arn, arn, letter.body, letter.attributes, letter.group, letter.deduplication
        )
        tx.execute("SAVEPOINT letter")
        try:
            self._receivers["sqs"].deliver(tx, buried)
        except ClocheError as error:
            tx.execute("ROLLBACK TO letter")
            log.warning("an undelivered notification could not be sent to %s: %s", arn, error.message)
            return ["NumberOfNotificationsFailedToRedriveToDlq"]
        finally:
            tx.execute("RELEASE letter")
        return ["NumberOfNotificationsRedrivenToDlq"]

    def count(self, topic_arn: str, counts: Mapping[str, float], published_bytes: int | None = None) -> None:
        """From inside of a transaction: told once it is on the disk
        (docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html)."""
        _, _, _, region, account, name = topic_arn.split(":", 5)
        dimensions, record = (("TopicName", name),), self._metrics.record

        def tell() -> None:
            for metric, count in counts.items():
                record(account, region, NAMESPACE, metric, dimensions, count, "Count")
            if published_bytes is not None:
                record(account, region, NAMESPACE, "PublishSize", dimensions, published_bytes, "Bytes")

        self._database.after_commit(tell)

    def _owe(self, tx: sqlite3.Connection, subscription: Subscription, parcel: Mapping[str, Any]) -> None:
        now = self._clock.time()
        account = subscription.topic_arn.split(":")[4]
        tx.execute(
            "INSERT INTO topic_deliveries (account, region, topic_arn, subscription_arn, protocol, endpoint, parcel,"
            " accepted_at, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                subscription.region,
                subscription.topic_arn,
                subscription.arn,
                parcel.get("by", subscription.protocol),
                subscription.endpoint,
                orjson.dumps(parcel).decode(),
                now,
                now,
            ),
        )
        self._database.after_commit(self.when_owed)

    def _mail(self, tx: sqlite3.Connection, subscription: Subscription, notice: Notice) -> None:
        mail = mails.write(tx, subscription, notice, self._clock.time())
        if self._mails:
            self._owe(tx, subscription, {"by": "smtp", "mail": mail})


def _parcel(subscription: Subscription, notice: Notice) -> Parcel:
    """For a receiver in this database: a queue gets the text alone where that was asked for, a function a record."""
    if subscription.protocol == "lambda":
        body = orjson.dumps(_records(subscription, notice)).decode()
        return Parcel(subscription.account, notice.topic_arn, subscription.endpoint, body)
    return _letter(subscription, notice)


def _letter(subscription: Subscription, notice: Notice) -> Parcel:
    message = notice.message
    is_raw = subscription.raw and notice.kind == NOTIFICATION
    body = (
        message.text_for(subscription.protocol) if is_raw else notice.envelope(subscription.protocol, subscription.arn)
    )
    return Parcel(
        notice.topic_arn.split(":")[4],
        notice.topic_arn,
        subscription.endpoint,
        body,
        message.attributes if is_raw else {},
        message.group,
        message.deduplication,
    )


def _records(subscription: Subscription, notice: Notice) -> dict[str, Any]:
    """docs.aws.amazon.com/lambda/latest/dg/with-sns.html shows the event."""
    members = notice.members("lambda", subscription.arn, url="Url")
    members.setdefault("Subject", None)
    members.setdefault("MessageAttributes", {})
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": members,
    }
    return {"Records": [record]}


def _http_parcel(subscription: Subscription, notice: Notice) -> dict[str, Any]:
    """Everything a delivery needs, so that the subscription may go while it is owed. Headers:
    docs.aws.amazon.com/sns/latest/dg/http-header.html"""
    letter = _letter(subscription, notice)
    headers = {
        "x-amz-sns-message-type": notice.kind,
        "x-amz-sns-message-id": notice.id,
        "x-amz-sns-topic-arn": notice.topic_arn,
    }
    is_notification = notice.kind == NOTIFICATION
    if is_notification:
        headers["x-amz-sns-subscription-arn"] = subscription.arn
        if subscription.raw:
            headers["x-amz-sns-rawdelivery"] = "true"
    return {
        "kind": notice.kind,
        "headers": headers,
        "body": letter.body,
        "attributes": {name: dict(each) for name, each in letter.attributes.items()},
        "policy": {
            name: text for name in ("RedrivePolicy", "DeliveryPolicy") if (text := subscription.attributes.get(name))
        }
        if is_notification
        else {},
    }
