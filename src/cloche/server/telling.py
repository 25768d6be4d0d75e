"""Putting together those who tell others: topics with their subscribers, and buckets with whom they notify."""

from __future__ import annotations

from cloche.aws.protocols.rest_xml import host_id
from cloche.engines.events import Events, compile_pattern
from cloche.engines.filter_patterns import compile_pattern as compile_filter_pattern
from cloche.engines.functions import Functions
from cloche.engines.log_subscriptions import LogSubscriptions
from cloche.engines.object_events import ObjectEvents, Outlet
from cloche.engines.queues import Queues
from cloche.engines.topics import Topics
from cloche.engines.topics.owed import Send
from cloche.foundation.settings import Settings
from cloche.jobs.equipment import Equipment
from cloche.server.authority import Authority
from cloche.server.directory import Layout
from cloche.server.function_outlets import FunctionOutlets
from cloche.server.log_receiver import LogReceiver
from cloche.server.object_event_outlets import DefaultBus, FunctionOutlet, QueueOutlet, TopicOutlet
from cloche.server.topic_receivers import FunctionReceiver, QueueReceiver
from cloche.server.topic_senders import HttpSender, smtp_sender
from cloche.server.topic_signing import TopicSigner


def topics_of(
    settings: Settings, layout: Layout, equipment: Equipment, queues: Queues, functions: Functions, url: str
) -> Topics:
    """``url`` is where this server is reached. Functions may send what they give up to topics from now on."""
    authority = Authority(layout.keys, settings.tls_certificate)
    to_http = HttpSender(authority)
    senders: dict[str, Send] = {"http": to_http, "https": to_http}
    if settings.smtp:
        senders["smtp"] = smtp_sender(settings.smtp)
    topics = Topics(
        equipment.database,
        equipment.clock,
        equipment.metrics,
        {"sqs": QueueReceiver(queues), "lambda": FunctionReceiver(functions)},
        senders,
        TopicSigner(authority, layout.keys, url),
        compile_pattern,
    )
    functions.events.outlets = FunctionOutlets(queues, topics)
    return topics


def object_events_of(
    equipment: Equipment, queues: Queues, functions: Functions, topics: Topics, events: Events
) -> ObjectEvents:
    outlets: dict[str, Outlet] = {
        "sqs": QueueOutlet(queues),
        "sns": TopicOutlet(topics),
        "lambda": FunctionOutlet(functions),
    }
    made = ObjectEvents(outlets, DefaultBus(events), host_id)
    equipment.objects.when_changed = made.changed
    return made


def log_subscriptions_of(equipment: Equipment, functions: Functions) -> LogSubscriptions:
    made = LogSubscriptions(
        equipment.database,
        equipment.clock,
        equipment.logs,
        equipment.metrics,
        compile_filter_pattern,
        LogReceiver(functions),
    )
    equipment.logs.when_grown = made.grown
    return made
