"""Topics: what is published is handed to everybody who subscribed, in the transaction that accepted it or owed from it.

``topics`` is the whole, ``fanout`` how a message reaches each subscriber, ``owed`` what is tried again until an HTTP
endpoint or a mail server takes it.
"""

from cloche.engines.topics.message import Message, Notice, Signer
from cloche.engines.topics.receiving import Parcel, Receiver
from cloche.engines.topics.schema import MIGRATIONS
from cloche.engines.topics.subscriptions import Subscription
from cloche.engines.topics.topics import TOPIC, Published, Topic, Topics, topic_arn

__all__ = [
    "MIGRATIONS",
    "TOPIC",
    "Message",
    "Notice",
    "Parcel",
    "Published",
    "Receiver",
    "Signer",
    "Subscription",
    "Topic",
    "Topics",
    "topic_arn",
]
