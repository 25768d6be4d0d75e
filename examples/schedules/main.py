"""A schedule that calls an operation, a pipe from queue to queue, and an archive whose events are replayed."""

import json
import time
from datetime import UTC, datetime, timedelta

import boto3

session = boto3.Session()
iam, sqs, events = session.client("iam"), session.client("sqs"), session.client("events")
scheduler, pipes = session.client("scheduler"), session.client("pipes")


def queue(name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(url):
    """The next message, waited for; it is taken out of the queue."""
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"])


trusted = {"Service": ["scheduler.amazonaws.com", "pipes.amazonaws.com"]}
trust = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
role = iam.create_role(
    RoleName="example-events", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
)["Role"]["Arn"]
rights = {"Effect": "Allow", "Action": ["events:PutEvents", "sqs:*"], "Resource": "*"}
iam.put_role_policy(
    RoleName="example-events",
    PolicyName="rights",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [rights]}),
)

# A rule and an archive listen to the shop.
incoming, incoming_arn = queue("example-incoming")
bus = events.describe_event_bus()["Arn"]
pattern = json.dumps({"source": ["example.clock"]})
archive = events.create_archive(ArchiveName="example-clock", EventSourceArn=bus, EventPattern=pattern)["ArchiveArn"]
events.put_rule(Name="example-clock", EventPattern=pattern)
events.put_targets(Rule="example-clock", Targets=[{"Id": "queue", "Arn": incoming_arn, "InputPath": "$.detail"}])

# A pipe leads large numbers on, in a form of its own.
large, large_arn = queue("example-large")
pipes.create_pipe(
    Name="example-large",
    Source=incoming_arn,
    SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"n": [{"numeric": [">", 10]}]}}'}]}},
    Target=large_arn,
    TargetParameters={"InputTemplate": '{"large": <$.body.n>, "through": "<aws.pipes.pipe-name>"}'},
    RoleArn=role,
)

# At a time, once, the Scheduler puts events on the bus; it could call any other operation.
began = datetime.now(UTC)
at = began + timedelta(seconds=3)
entries = [{"Source": "example.clock", "DetailType": "tick", "Detail": json.dumps({"n": number})} for number in (5, 50)]
scheduler.create_schedule(
    Name="example-once",
    ScheduleExpression=at.strftime("at(%Y-%m-%dT%H:%M:%S)"),
    FlexibleTimeWindow={"Mode": "OFF"},
    ActionAfterCompletion="DELETE",
    Target={
        "Arn": "arn:aws:scheduler:::aws-sdk:eventbridge:putEvents",
        "RoleArn": role,
        "Input": json.dumps({"Entries": entries}),
    },
)
print("at its time:", received(large))

# What the archive kept happens again.
while events.describe_archive(ArchiveName="example-clock")["EventCount"] < 2:
    time.sleep(0.1)
events.start_replay(
    ReplayName="example-again",
    EventSourceArn=archive,
    EventStartTime=began - timedelta(minutes=1),
    EventEndTime=began + timedelta(hours=1),
    Destination={"Arn": bus},
)
print("replayed:", received(large))
print("state:", events.describe_replay(ReplayName="example-again")["State"])
