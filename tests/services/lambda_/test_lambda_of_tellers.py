"""Topics, buckets and log groups invoke functions, and what functions answer goes on to a topic."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable
from typing import Any

from function_requests import make_function

Client = Callable[..., Any]
ECHO = "def lambda_handler(event, context):\n    return 1\n"


def _received(client: Client, url: str) -> Any:
    """The payload that the function was invoked with, as its destination tells it."""
    for _ in range(3):
        answer = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return json.loads(message["Body"])["requestPayload"]
    raise AssertionError("no message came")


def test_who_tells_a_function(client: Client) -> None:
    sns, sqs, s3, logs = client("sns"), client("sqs"), client("s3"), client("logs")
    results = sns.create_topic(Name="told-results")["TopicArn"]
    url = sqs.create_queue(QueueName="told-results")["QueueUrl"]
    queue = "arn:aws:sqs:us-east-1:123456789012:told-results"
    sns.subscribe(TopicArn=results, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    function = make_function(client, "told", ECHO)["FunctionArn"]
    client("lambda").put_function_event_invoke_config(
        FunctionName="told", DestinationConfig={"OnSuccess": {"Destination": results}}
    )

    topic = sns.create_topic(Name="tells-function")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)["SubscriptionArn"]
    sent = sns.publish(TopicArn=topic, Message="m")
    (record,) = _received(client, url)["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == subscription
    assert record["Sns"] | {"Signature": "", "Timestamp": "", "SigningCertUrl": "", "UnsubscribeUrl": ""} == {
        "Type": "Notification",
        "MessageId": sent["MessageId"],
        "TopicArn": topic,
        "Subject": None,
        "Message": "m",
        "Timestamp": "",
        "SignatureVersion": "1",
        "Signature": "",
        "SigningCertUrl": "",
        "UnsubscribeUrl": "",
        "MessageAttributes": {},
    }

    s3.create_bucket(Bucket="tells-function")
    rule = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="tells-function", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket="tells-function", Key="k", Body=b"x")
    (record,) = _received(client, url)["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Put", "k")

    logs.create_log_group(logGroupName="tells-function")
    for stream in ("old", "new"):
        logs.create_log_stream(logGroupName="tells-function", logStreamName=stream)
    now = int(time.time() * 1000)
    put = {"logGroupName": "tells-function", "logStreamName": "old"}
    logs.put_log_events(**put, logEvents=[{"timestamp": now, "message": "ERROR before"}])
    logs.put_subscription_filter(
        logGroupName="tells-function", filterName="errors", filterPattern="ERROR", destinationArn=function
    )
    (kept,) = logs.describe_subscription_filters(logGroupName="tells-function")["subscriptionFilters"]
    assert (kept["filterName"], kept["destinationArn"], kept["distribution"]) == ("errors", function, "ByLogStream")
    logs.put_log_events(
        **put,
        logEvents=[
            {"timestamp": now + n, "message": f"{word} {n}"} for n, word in enumerate(("ERROR", "INFO", "ERROR"))
        ],
    )
    data = _received(client, url)["awslogs"]["data"]
    told = json.loads(gzip.decompress(base64.b64decode(data)))
    events = told.pop("logEvents")
    assert told == {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "tells-function",
        "logStream": "old",
        "subscriptionFilters": ["errors"],
    }
    found = logs.filter_log_events(logGroupName="tells-function", filterPattern="ERROR")["events"][1:]
    assert [(each["message"], each["id"]) for each in events] == [(e["message"], e["eventId"]) for e in found]
    assert [each["message"] for each in events] == ["ERROR 0", "ERROR 2"]
    logs.delete_subscription_filter(logGroupName="tells-function", filterName="errors")
