"""Archives keep events, replays send them again, through unmodified boto3."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"


def put(turned: Any, source: str, count: int) -> list[str]:
    events, ids = turned.client("events"), []
    for at in range(0, count, 10):
        entries = [
            {"Source": source, "DetailType": "d", "Detail": json.dumps({"n": n})}
            for n in range(at, min(at + 10, count))
        ]
        ids += [entry["EventId"] for entry in events.put_events(Entries=entries)["Entries"]]
    return ids


def test_what_an_archive_keeps_is_replayed_to_the_rules_that_are_named(turned: Any) -> None:
    events = turned.client("events")
    url, arn = turned.queue("replayed")
    other, other_arn = turned.queue("not-replayed")
    made = events.create_archive(ArchiveName="kept", EventSourceArn=BUS, EventPattern='{"source": ["shop.kept"]}')
    assert made["State"] == "ENABLED"
    rule = events.put_rule(Name="replayed", EventPattern='{"source": ["shop.kept"]}')["RuleArn"]
    events.put_rule(Name="not-replayed", EventPattern='{"source": ["shop.kept"]}')
    events.put_targets(Rule="replayed", Targets=[{"Id": "q", "Arn": arn}])
    events.put_targets(Rule="not-replayed", Targets=[{"Id": "q", "Arn": other_arn}])
    start = turned.now()
    ids = put(turned, "shop.kept", 25)
    put(turned, "shop.else", 1)
    turned.pass_time("1m")
    put(turned, "shop.kept", 1)
    turned.pass_time("1m")
    assert len(turned.bodies(url)) == len(turned.bodies(other)) == 26
    shown = events.describe_archive(ArchiveName="kept")
    assert (shown["EventCount"], shown["RetentionDays"]) == (26, 0)
    assert shown["SizeBytes"] > 26 * 100

    wanted = {"Arn": BUS, "FilterArns": [rule]}
    times = {"EventStartTime": start, "EventEndTime": start + timedelta(seconds=30)}
    begun = events.start_replay(ReplayName="again", EventSourceArn=made["ArchiveArn"], Destination=wanted, **times)
    assert begun["State"] == "STARTING"
    turned.pass_time("1s")
    told = events.describe_replay(ReplayName="again")
    assert told["State"] == "COMPLETED"
    assert told["EventLastReplayedTime"].replace(microsecond=0) == start
    found = turned.bodies(url)
    assert [event["id"] for event in found] == ids
    assert {event["replay-name"] for event in found} == {"again"}
    assert turned.bodies(other) == []
    assert events.describe_archive(ArchiveName="kept")["EventCount"] == 26, "what is replayed is not kept again"
    assert [each["ReplayName"] for each in events.list_replays(State="COMPLETED")["Replays"]] == ["again"]
    with pytest.raises(ClientError, match="IllegalStatus"):
        events.cancel_replay(ReplayName="again")


def test_an_archive_forgets_what_is_older_than_its_retention(turned: Any) -> None:
    events = turned.client("events")
    events.create_archive(ArchiveName="short", EventSourceArn=BUS, EventPattern='{"source": ["shop.short"]}')
    put(turned, "shop.short", 3)
    turned.pass_time("3d")
    put(turned, "shop.short", 2)
    turned.pass_time("1s")
    assert events.describe_archive(ArchiveName="short")["EventCount"] == 5
    events.update_archive(ArchiveName="short", RetentionDays=2, Description="two days")
    shown = events.describe_archive(ArchiveName="short")
    assert (shown["EventCount"], shown["Description"]) == (2, "two days")
    assert [each["ArchiveName"] for each in events.list_archives(NamePrefix="sh")["Archives"]] == ["short"]


def test_an_archives_rule_is_not_the_users(turned: Any) -> None:
    events = turned.client("events")
    events.create_archive(ArchiveName="mine", EventSourceArn=BUS)
    rule = events.describe_rule(Name="Events-Archive-mine")
    assert rule["ManagedBy"] == "prod.vhs.events.aws.internal"
    assert json.loads(rule["EventPattern"]) == {"replay-name": [{"exists": False}]}
    for ask in (
        lambda: events.delete_rule(Name="Events-Archive-mine"),
        lambda: events.disable_rule(Name="Events-Archive-mine"),
        lambda: events.remove_targets(Rule="Events-Archive-mine", Ids=["mine"]),
        lambda: events.put_rule(Name="Events-Archive-mine", EventPattern='{"source": ["x"]}'),
    ):
        with pytest.raises(ClientError, match="ManagedRule"):
            ask()
    events.delete_archive(ArchiveName="mine")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        events.describe_rule(Name="Events-Archive-mine")


def test_what_is_wrong_with_archives_and_replays_is_refused(turned: Any) -> None:
    events, at = turned.client("events"), turned.now()
    made = events.create_archive(ArchiveName="wrong", EventSourceArn=BUS)["ArchiveArn"]
    other = events.create_event_bus(Name="wrong")["EventBusArn"]
    times = {"EventStartTime": at, "EventEndTime": at + timedelta(hours=1)}
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("create_archive", {"ArchiveName": "wrong", "EventSourceArn": BUS}, "ResourceAlreadyExists"),
        ("create_archive", {"ArchiveName": "x", "EventSourceArn": BUS + "x"}, "ResourceNotFound"),
        ("create_archive", {"ArchiveName": "x", "EventSourceArn": BUS, "EventPattern": "{}"}, "InvalidEventPattern"),
        ("describe_archive", {"ArchiveName": "none"}, "ResourceNotFound"),
        ("delete_archive", {"ArchiveName": "none"}, "ResourceNotFound"),
        ("describe_replay", {"ReplayName": "none"}, "ResourceNotFound"),
        (
            "start_replay",
            {"ReplayName": "x", "EventSourceArn": made + "x", "Destination": {"Arn": BUS}, **times},
            "ResourceNotFound",
        ),
        (
            "start_replay",
            {"ReplayName": "x", "EventSourceArn": made, "Destination": {"Arn": other}, **times},
            "Cross event bus replay",
        ),
        (
            "start_replay",
            {"ReplayName": "x", "EventSourceArn": made, "Destination": {"Arn": BUS}, **times, "EventEndTime": at},
            "EventStartTime must be before",
        ),
    ]
    for name, request, expected in cases:
        with pytest.raises(ClientError, match=expected):
            getattr(events, name)(**request)
