"""The same script on the same clock has the same events: two servers, a day and a half each, one story.

What happens at one moment to things that know nothing of each other (an alarm and a schedule) may come in either order;
all else is compared, but for ids, ports and signatures. ``benchmarks/determinism.py`` does it with the whole loop.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server_process import ServerProcess

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))
sys.path.insert(0, str(Path(__file__).parent.parent / "lambda_"))

from function_requests import make_function
from pipeline_requests import condition, definition, equals, fail

NO_ID = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # of events, messages, requests
    r"|(?<=execution/)[a-z0-9]{12}"  # of pipelines
    r'|(?<="Signature": ")[^"]+|http://127.0.0.1:[^"]+'
)
FAILS = "def lambda_handler(event, context):\n    raise ValueError(event['time'])\n"


class Story:
    """What happens, made by boto3; ``told`` is all that came of it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.sqs, self.events, self.scheduler = (server.client(name) for name in ("sqs", "events", "scheduler"))
        self.role = server.client("iam").create_role(
            RoleName="again",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": ["scheduler.amazonaws.com", "sagemaker.amazonaws.com"]},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
        )["Role"]["Arn"]
        server.client("iam").attach_role_policy(
            RoleName="again", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
        self.everything, arn = self.queue("everything")
        self.events.put_rule(Name="everything", EventPattern='{"account": ["123456789012"]}')
        self.events.put_targets(Rule="everything", Targets=[{"Id": "q", "Arn": arn}])
        self.letters, self.letters_arn = self.queue("letters")

    def queue(self, name: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "1209600"})["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    def begin(self) -> None:
        bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 45}
        for name, expression in (("hourly", "rate(1 hour)"), ("often", "cron(*/20 * * * ? *)")):
            self.scheduler.create_schedule(
                Name=name,
                ScheduleExpression=expression,
                FlexibleTimeWindow=window if name == "hourly" else {"Mode": "OFF"},
                Target={
                    "Arn": bus,
                    "RoleArn": self.role,
                    "Input": json.dumps({"of": name}),
                    "EventBridgeParameters": {"Source": "again", "DetailType": name},
                },
            )
        client = self.server.client
        make_function(client, "fails", FAILS)
        client("lambda").put_function_event_invoke_config(
            FunctionName="fails", DestinationConfig={"OnFailure": {"Destination": self.letters_arn}}
        )
        fails = "arn:aws:lambda:us-east-1:123456789012:function:fails"
        client("lambda").add_permission(
            FunctionName=fails, StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
        )
        self.events.put_rule(Name="daily", ScheduleExpression="cron(0 6 * * ? *)")
        gone = "arn:aws:sqs:us-east-1:123456789012:gone"
        targets = [
            {"Id": "f", "Arn": fails},
            {"Id": "g", "Arn": gone, "DeadLetterConfig": {"Arn": self.letters_arn}},
        ]
        self.events.put_targets(Rule="daily", Targets=targets)
        self._alarm()
        self._objects()
        self._pipeline()

    def _alarm(self) -> None:
        cloudwatch, sns = self.server.client("cloudwatch"), self.server.client("sns")
        topic = sns.create_topic(Name="again")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.letters_arn)
        named = {"Namespace": "AWS/Scheduler", "MetricName": "InvocationAttemptCount"}
        cloudwatch.put_metric_alarm(
            AlarmName="busy",
            **named,
            Dimensions=[{"Name": "ScheduleGroup", "Value": "default"}],
            Statistic="Sum",
            Period=1200,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[topic],
        )

    def _objects(self) -> None:
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="again")
        s3.put_bucket_notification_configuration(
            Bucket="again", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket="again", LifecycleConfiguration={"Rules": [rule]})
        for key in ("b", "a", "c"):
            s3.put_object(Bucket="again", Key=key, Body=b"x")

    def _pipeline(self) -> None:
        text = definition(condition("Good", equals(1, 2), other=[fail("TooWeak")]))
        made = self.server.client("sagemaker").create_pipeline(
            PipelineName="again", PipelineDefinition=text, RoleArn=self.role, ClientRequestToken="again" * 8
        )
        target = {"Arn": made["PipelineArn"], "RoleArn": self.role, "Input": "{}"}
        self.scheduler.create_schedule(
            Name="pipeline",
            ScheduleExpression="rate(12 hours)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={**target, "SageMakerPipelineParameters": {"PipelineParameterList": []}},
        )

    def told(self) -> dict[str, list[Any]]:
        history = self.server.client("cloudwatch").describe_alarm_history(AlarmName="busy", ScanBy="TimestampAscending")
        executions = self.server.client("sagemaker").list_pipeline_executions(PipelineName="again", MaxResults=100)
        found = {
            "events": self._bodies(self.everything),
            "letters": self._bodies(self.letters),
            "alarm": history["AlarmHistoryItems"],
            "executions": executions["PipelineExecutionSummaries"],
        }
        masked: dict[str, list[Any]] = json.loads(NO_ID.sub("-", json.dumps(found, default=str, sort_keys=True)))
        return masked

    def _bodies(self, url: str) -> list[Any]:
        bodies: list[Any] = []
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43_200).get(
            "Messages"
        ):
            bodies += [json.loads(message["Body"]) for message in found]
        return bodies


def by_moment(told: list[Any]) -> list[str]:
    return sorted(f"{each.get('time')} {json.dumps(each)}" for each in told)


@pytest.mark.slow
def test_two_runs_of_a_script_have_the_same_events(start_server: Callable[..., ServerProcess]) -> None:
    told, begin = [], (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT00:00:00Z")
    for _ in range(2):
        server = start_server()
        server.turn_clock("freeze")
        server.turn_clock("set", begin)
        story = Story(server)
        story.begin()
        server.turn_clock("advance", "36h")
        told.append(story.told())
    first, second = told
    for name in first:
        assert by_moment(first[name]) == by_moment(second[name]), name
    kinds = {event["detail-type"] for event in first["events"]}
    assert kinds >= {"hourly", "often", "Object Created", "Object Deleted", "CloudWatch Alarm State Change"}, kinds
    times = [event["time"] for event in first["events"]]
    assert times == sorted(times) and len(times) > 150
    assert len(first["letters"]) > 4 and len(first["executions"]) == 4
