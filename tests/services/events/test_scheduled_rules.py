"""Rules that fall due, and where their events go, through unmodified boto3 on a clock that is turned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_a_rate_and_a_cron_fall_due_in_order(turned: Any) -> None:
    events = turned.client("events")
    url, arn = turned.queue("due")
    turned.pass_time("1s")
    rule = events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")["RuleArn"]
    events.put_rule(Name="nightly", ScheduleExpression="cron(30 2 * * ? *)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "q", "Arn": arn}])
    events.put_targets(Rule="nightly", Targets=[{"Id": "q", "Arn": arn, "Input": '{"resources": ["night"]}'}])
    turned.pass_time("2d")
    found = turned.bodies(url)
    hours = [event for event in found if event["resources"] == [rule]]
    assert len(hours) == 48
    assert [event["time"] for event in hours] == sorted({event["time"] for event in hours})
    assert {(e["source"], e["detail-type"], str(e["detail"])) for e in hours} == {
        ("aws.events", "Scheduled Event", "{}")
    }
    assert sum(event["resources"] == ["night"] for event in found) == 2

    events.disable_rule(Name="hourly")
    events.remove_targets(Rule="nightly", Ids=["q"])
    events.delete_rule(Name="nightly")
    turned.pass_time("1d")
    assert turned.bodies(url) == []
    events.enable_rule(Name="hourly")
    turned.pass_time("59m")
    assert turned.bodies(url) == [], "a rate counts from when it was enabled"
    turned.pass_time("1m")
    assert len(turned.bodies(url)) == 1
    events.disable_rule(Name="hourly")
    assert events.describe_rule(Name="hourly")["ScheduleExpression"] == "rate(1 hour)"
    with pytest.raises(ClientError, match="only on the default event bus"):
        events.create_event_bus(Name="due")
        events.put_rule(Name="x", ScheduleExpression="rate(1 hour)", EventBusName="due")


def test_a_rule_sends_to_another_bus_and_no_further(turned: Any) -> None:
    events = turned.client("events")
    url, arn = turned.queue("buses")
    for name, to in (("one", "two"), ("two", "one")):
        events.create_event_bus(Name=name)
        events.put_rule(Name="on", EventBusName=name, EventPattern='{"source": ["shop.buses"]}')
        bus = f"arn:aws:events:us-east-1:123456789012:event-bus/{to}"
        events.put_targets(Rule="on", EventBusName=name, Targets=[{"Id": "b", "Arn": bus}, {"Id": "q", "Arn": arn}])
    entry = {"Source": "shop.buses", "DetailType": "d", "Detail": '{"n": 1}', "EventBusName": "one"}
    id = events.put_events(Entries=[entry])["Entries"][0]["EventId"]
    turned.pass_time("1s")
    assert [event["id"] for event in turned.bodies(url)] == [id, id]


def test_a_rule_writes_to_a_log_group(turned: Any) -> None:
    events, logs = turned.client("events"), turned.client("logs")
    logs.create_log_group(logGroupName="/aws/events/written")
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/written"
    events.put_rule(Name="written", EventPattern='{"source": ["shop.written"]}')
    template = {
        "InputPathsMap": {"at": "$.time", "n": "$.detail.n"},
        "InputTemplate": '{"timestamp": <at>, "message": "number <n>"}',
    }
    targets = [{"Id": "all", "Arn": arn}, {"Id": "part", "Arn": f"{arn}:*", "InputTransformer": template}]
    events.put_targets(Rule="written", Targets=targets)
    at = turned.now()
    events.put_events(Entries=[{"Source": "shop.written", "DetailType": "d", "Detail": '{"n": 7}', "Time": at}])
    turned.pass_time("1s")
    found = logs.filter_log_events(logGroupName="/aws/events/written")["events"]
    said = sorted(event["message"] for event in found)
    assert said[0] == "number 7"
    assert json.loads(said[1])["detail"] == {"n": 7}
    part = next(event for event in found if event["message"] == "number 7")
    assert part["timestamp"] == int(at.timestamp() * 1000)


def test_what_a_rule_writes_to_a_log_group_is_in_the_order_it_happened(turned: Any) -> None:
    events, logs = turned.client("events"), turned.client("logs")
    logs.create_log_group(logGroupName="/aws/events/ordered")
    events.put_rule(Name="ordered", EventPattern='{"source": ["shop.ordered"]}')
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/ordered"
    events.put_targets(Rule="ordered", Targets=[{"Id": "all", "Arn": arn, "InputPath": "$.detail.n"}])
    for first in range(0, 100, 10):
        entries = [
            {"Source": "shop.ordered", "DetailType": "d", "Detail": json.dumps({"n": n})}
            for n in range(first, first + 10)
        ]
        events.put_events(Entries=entries)
    turned.pass_time("1s")
    [stream] = logs.describe_log_streams(logGroupName="/aws/events/ordered")["logStreams"]
    told = logs.get_log_events(
        logGroupName="/aws/events/ordered", logStreamName=stream["logStreamName"], startFromHead=True
    )
    assert [event["message"] for event in told["events"]] == [str(n) for n in range(100)]


def test_a_rule_starts_a_pipeline_as_its_role(turned: Any) -> None:
    events, sagemaker = turned.client("events"), turned.client("sagemaker")
    letters, letters_arn = turned.queue("pipeline-letters")
    role = turned.role("starts-pipelines", "events.amazonaws.com")
    of_pipeline = turned.role("runs-pipelines", "sagemaker.amazonaws.com")
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Why", "Type": "String", "DefaultValue": "none"}],
        "Steps": [{"Name": "stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Why"}}}],
    }
    arn = sagemaker.create_pipeline(
        PipelineName="retrain", PipelineDefinition=json.dumps(definition), RoleArn=of_pipeline
    )["PipelineArn"]
    events.put_rule(Name="retrain", EventPattern='{"source": ["shop.drift"]}')
    target = {"Id": "p", "Arn": arn, "DeadLetterConfig": {"Arn": letters_arn}}
    with pytest.raises(ClientError, match="RoleArn is required"):
        events.put_targets(Rule="retrain", Targets=[target])
    target |= {
        "RoleArn": role,
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Why", "Value": "$.detail.why"}]},
    }
    events.put_targets(Rule="retrain", Targets=[target])
    entry = {"Source": "shop.drift", "DetailType": "d", "Detail": '{"why": "the world drifts"}'}
    events.put_events(Entries=[entry])
    turned.pass_time("1m")
    (execution,) = sagemaker.list_pipeline_executions(PipelineName="retrain")["PipelineExecutionSummaries"]
    assert execution["PipelineExecutionStatus"] == "Failed"
    parameters = sagemaker.list_pipeline_parameters_for_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )["PipelineParameters"]
    assert parameters == [{"Name": "Why", "Value": "the world drifts"}]

    events.put_targets(Rule="retrain", Targets=[{**target, "RoleArn": of_pipeline}])
    events.put_events(Entries=[entry])
    turned.pass_time("1m")
    (letter,) = turned.messages(letters)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS", "it does not trust EventBridge"
    assert len(sagemaker.list_pipeline_executions(PipelineName="retrain")["PipelineExecutionSummaries"]) == 1


def test_what_events_are_not_delivered_to_is_refused_by_name(turned: Any) -> None:
    events = turned.client("events")
    events.put_rule(Name="refuses", EventPattern='{"source": ["refuses"]}')
    for arn, said in (
        ("arn:aws:states:us-east-1:123456789012:stateMachine:x", "delivers no events to states"),
        ("arn:aws:sagemaker:us-east-1:123456789012:model/x", "pipelines only"),
        ("arn:aws:events:us-east-1:210987654321:event-bus/x", "RoleArn is required"),
        ("arn:aws:events:us-east-1:123456789012:rule/x", "event buses only"),
        ("arn:aws:sqs:eu-west-1:123456789012:x", "within a region only"),
        ("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "delivers no events to scheduler"),
    ):
        with pytest.raises(ClientError, match=said):
            events.put_targets(Rule="refuses", Targets=[{"Id": "1", "Arn": arn}])
