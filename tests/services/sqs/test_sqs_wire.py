"""SQS as clients of before speak it, for other accounts, and over a kill of the server."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

Clients = Callable[..., Any]
NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def query(server: Any, path: str, **fields: str) -> tuple[int, ET.Element]:
    """A signed request of the query protocol, as SDKs before 2023 make it."""
    body = urllib.parse.urlencode({"Version": "2012-11-05", **fields})
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = AWSRequest("POST", server.url + path, data=body, headers=headers)
    keys = server.keys
    SigV4Auth(Credentials(*keys.values()), "sqs", "us-east-1").add_auth(request)
    made = urllib.request.Request(request.url, body.encode(), dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(made) as answer:
            return answer.status, ET.fromstring(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, ET.fromstring(error.read())


def texts(root: ET.Element, name: str) -> list[str]:
    return [each.text or "" for each in root.iter(NAMESPACE + name)]


def test_the_query_protocol_goes_to_the_queues_url(server: Any) -> None:
    status, made = query(
        server,
        "/",
        Action="CreateQueue",
        QueueName="by-query",
        **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "7", "Tag.1.Key": "k", "Tag.1.Value": "v"},
    )
    (url,) = texts(made, "QueueUrl")
    assert (status, url) == (200, f"{server.url}/123456789012/by-query")
    path = urllib.parse.urlsplit(url).path
    attribute = {
        "MessageAttribute.1.Name": "a",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "v",
    }
    _, sent = query(server, path, Action="SendMessage", MessageBody="a & b", **attribute)
    assert texts(sent, "MD5OfMessageBody") == ["9fed43e0f68e6c705d96bd051704f1f2"]
    _, found = query(
        server,
        path,
        Action="ReceiveMessage",
        **{"AttributeName.1": "ApproximateReceiveCount", "MessageAttributeName.1": "All"},
    )
    (message,) = list(found.iter(NAMESPACE + "Message"))
    assert message.findtext(NAMESPACE + "Body") == "a & b"
    told = message.find(NAMESPACE + "Attribute")
    assert told is not None
    assert (told.findtext(NAMESPACE + "Name"), told.findtext(NAMESPACE + "Value")) == ("ApproximateReceiveCount", "1")
    assert message.find(f"{NAMESPACE}MessageAttribute/{NAMESPACE}Value/{NAMESPACE}StringValue") is not None
    handle = message.findtext(NAMESPACE + "ReceiptHandle") or ""
    _, gone = query(
        server,
        path,
        Action="DeleteMessageBatch",
        **{
            "DeleteMessageBatchRequestEntry.1.Id": "one",
            "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle,
        },
    )
    assert [each.findtext(NAMESPACE + "Id") for each in gone.iter(NAMESPACE + "DeleteMessageBatchResultEntry")] == [
        "one"
    ]
    _, attributes = query(server, "/", Action="GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "All"})
    assert "VisibilityTimeout" in texts(attributes, "Name")
    status, refusal = query(server, "/", Action="GetQueueUrl", QueueName="not-there")
    assert (status, texts(refusal, "Code")) == (400, ["AWS.SimpleQueueService.NonExistentQueue"])
    status, refusal = query(server, "/", Action="SendMessage", MessageBody="x")
    assert (status, texts(refusal, "Code")) == (400, ["MissingParameter"])


def test_json_errors_carry_the_old_code(server: Any) -> None:
    body = json.dumps({"QueueName": "not-there"})
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.GetQueueUrl"}
    headers["x-amzn-query-mode"] = "true"
    request = AWSRequest("POST", server.url + "/", data=body, headers=headers)
    SigV4Auth(Credentials(*server.keys.values()), "sqs", "us-east-1").add_auth(request)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(request.url, body.encode(), dict(request.headers)))
    assert error.value.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert json.loads(error.value.read())["__type"].endswith("QueueDoesNotExist")


def test_who_has_gone_takes_no_message_along(server: Any) -> None:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="gone")["QueueUrl"]
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20})
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ReceiveMessage"}
    request = AWSRequest("POST", server.url + "/", data=body, headers=headers)
    SigV4Auth(Credentials(*server.keys.values()), "sqs", "us-east-1").add_auth(request)
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/", body, dict(request.headers))
        time.sleep(0.2)  # it waits by now
        connection.close()
    sqs.send_message(QueueUrl=url, MessageBody="for those who stay")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "for those who stay"


def test_another_account_needs_the_queues_policy(start_server: Callable[..., Any]) -> None:
    server = start_server("--any-credentials")
    ours = server.client("sqs")
    theirs = server.client("sqs", aws_access_key_id="222222222222", aws_secret_access_key="x")
    url = ours.create_queue(QueueName="shared")["QueueUrl"]
    with pytest.raises(ClientError) as error:
        theirs.send_message(QueueUrl=url, MessageBody="x")
    assert error.value.response["Error"]["Code"] == "AccessDenied"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    ours.add_permission(QueueUrl=url, Label="send", AWSAccountIds=["222222222222"], Actions=["SendMessage"])
    theirs.send_message(QueueUrl=url, MessageBody="x")
    theirs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "y"}])
    for refused in (
        lambda: theirs.receive_message(QueueUrl=url),
        lambda: theirs.delete_queue(QueueUrl=url),
        lambda: theirs.send_message(QueueUrl=url.replace("shared", "none"), MessageBody="x"),
    ):
        with pytest.raises(ClientError) as error:
            refused()
        assert error.value.response["Error"]["Code"] == "AccessDenied"
    ours.remove_permission(QueueUrl=url, Label="send")
    with pytest.raises(ClientError, match="not authorized"):
        theirs.send_message(QueueUrl=url, MessageBody="x")
    arn = "arn:aws:sqs:us-east-1:123456789012:shared"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    ours.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    with pytest.raises(ClientError) as error:
        ours.send_message(QueueUrl=url, MessageBody="x")
    assert error.value.response["Error"]["Code"] == "AccessDenied"
    with pytest.raises(ClientError, match="Only the queue owner"):
        ours.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["222222222222"], Actions=["DeleteQueue"])


def test_what_was_answered_is_there_after_a_kill(start_server: Callable[..., Any]) -> None:
    """Eight clients send while the server is killed: all that was acknowledged is received, and of a FIFO queue each
    message once, though every sender tries its last one again."""
    server = start_server()
    sqs = server.client("sqs")
    standard = sqs.create_queue(QueueName="kept")["QueueUrl"]
    fifo = sqs.create_queue(QueueName="kept.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    acknowledged: list[str] = []

    def send(number: int) -> None:
        from botocore.config import Config

        mine = server.client("sqs", config=Config(retries={"max_attempts": 1}, read_timeout=5))
        for at in range(10_000):
            body = f"{number}-{at}"
            try:
                mine.send_message(QueueUrl=standard, MessageBody=body)
                mine.send_message(
                    QueueUrl=fifo, MessageBody=body, MessageGroupId=str(number), MessageDeduplicationId=body
                )
            except Exception:
                return
            acknowledged.append(body)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    while len(acknowledged) < 100:
        pass
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    for sender in senders:
        sender.join()
    server.stop(signal.SIGKILL)
    server.start()
    sqs = server.client("sqs")
    last = {body.split("-")[0]: body for body in acknowledged}
    for group, body in last.items():
        sqs.send_message(QueueUrl=fifo, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)
    there = drained(sqs, standard)
    assert set(acknowledged) <= set(there)
    once = drained(sqs, fifo)
    assert set(acknowledged) <= set(once)
    assert len(once) == len(set(once))
    for group in last:
        mine = [int(body.split("-")[1]) for body in once if body.startswith(f"{group}-")]
        assert mine == sorted(mine)


def drained(sqs: Any, url: str) -> list[str]:
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [each["Body"] for each in messages]
        entries = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found
