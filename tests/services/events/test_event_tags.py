"""Tags of what the three services of events hold: kept, taken away, refused, as each of them writes tags."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_a_bus_and_a_group_of_schedules_have_tags(turned: Any) -> None:
    events, scheduler = turned.client("events"), turned.client("scheduler")
    bus = events.create_event_bus(Name="tagged")["EventBusArn"]
    group = scheduler.create_schedule_group(Name="tagged")["ScheduleGroupArn"]
    for client, word, arn in ((events, "ResourceARN", bus), (scheduler, "ResourceArn", group)):
        client.tag_resource(**{word: arn, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]})
        client.untag_resource(**{word: arn, "TagKeys": ["a", "never"]})
        assert client.list_tags_for_resource(**{word: arn})["Tags"] == [{"Key": "b", "Value": "2"}]
        with pytest.raises(ClientError, match="aws:"):
            client.tag_resource(**{word: arn, "Tags": [{"Key": "aws:a", "Value": "1"}]})
        with pytest.raises(ClientError, match="does not exist"):
            client.tag_resource(**{word: arn + "-none", "Tags": [{"Key": "a", "Value": "1"}]})
        with pytest.raises(ClientError, match="more than 50"):
            client.tag_resource(**{word: arn, "Tags": [{"Key": str(n), "Value": "1"} for n in range(50)]})
        assert client.list_tags_for_resource(**{word: arn})["Tags"] == [{"Key": "b", "Value": "2"}]


def test_a_pipe_has_tags_as_a_map(turned: Any) -> None:
    pipes, role = turned.client("pipes"), turned.role("TaggedPipe", "pipes.amazonaws.com")
    (_, source), (_, target) = turned.queue("tagged-source"), turned.queue("tagged-target")
    arn = pipes.create_pipe(Name="tagged", Source=source, Target=target, RoleArn=role, DesiredState="STOPPED")["Arn"]
    pipes.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    pipes.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert pipes.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    with pytest.raises(ClientError, match="does not exist"):
        pipes.untag_resource(resourceArn=arn + "-none", tagKeys=["a"])
