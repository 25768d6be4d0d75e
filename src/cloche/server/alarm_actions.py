"""What alarms act upon: the engines that take their notices, in the transaction of the change of state.

A function is invoked asynchronously, and subscribers of a topic are owed their messages: rows of this database, both.
Within an account alarms may use what the account has, as everywhere in Cloche until identity policies are enforced.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from cloche.aws.model.load import region_names
from cloche.engines.alarms.states import Act, Emit, Notice
from cloche.engines.autoscaling import AutoScaling
from cloche.engines.events import Events, Happening
from cloche.engines.functions import LATEST, Functions, Owner
from cloche.engines.topics import Message, Topics
from cloche.foundation.errors import Denied, NotFound
from cloche.storage.metadata.records import Record

DEFAULT_BUS = "default"


def to_functions(functions: Functions) -> Act:
    def act(tx: sqlite3.Connection, notice: Notice) -> None:
        parts = notice.action.split(":")
        if len(parts) not in (7, 8) or parts[5] != "function":
            raise NotFound(f"{notice.action} is not the ARN of a function")
        owner = Owner(parts[4], parts[3], parts[6])
        if owner.account != notice.account:
            raise Denied(f"{notice.action} belongs to another account")
        functions.events.accept(tx, owner, parts[7] if len(parts) == 8 else LATEST, notice.payload.encode())

    return act


def to_topics(topics: Topics) -> Act:
    def act(tx: sqlite3.Connection, notice: Notice) -> None:
        if topics.find(tx, notice.action).account != notice.account:
            raise Denied(f"{notice.action} belongs to another account")
        by_protocol = {"sms": notice.subject, "email": notice.letter}
        topics.publish_within(tx, notice.action, Message(notice.message, notice.subject, by_protocol))

    return act


def to_scaling(scaling: Callable[[], AutoScaling]) -> Act:
    def act(tx: sqlite3.Connection, notice: Notice) -> None:
        scaling().rang(tx, notice.account, notice.action, notice.alarm_arn, notice.state)

    return act


def to_events(events: Events) -> Emit:
    """Onto the default bus of the alarm's account and region; nothing is made where no rule could match."""

    def emit(tx: sqlite3.Connection, record: Record, kind: str, detail: Mapping[str, Any]) -> None:
        if events.is_wanted(tx, record.account, record.region, "aws.cloudwatch", kind):
            bus = (record.account, record.region, DEFAULT_BUS)
            happening = Happening("aws.cloudwatch", kind, detail, (record.arn,))
            events.accept(tx, bus, events.envelope(bus, happening))

    return emit


@cache
def region_name(region: str) -> str:
    """``US East (N. Virginia)``; a region that botocore does not know is called by its name."""
    return region_names().get(region, region)
