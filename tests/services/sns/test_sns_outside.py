"""What leaves Cloche: HTTP endpoints on this machine, e-mail, and both through a kill -9."""

from __future__ import annotations

import json
import re
import signal
import socketserver
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_sns_story import is_signed, queue_of, received

from cloche.server.authority import Authority

Clients = Callable[..., Any]
SECONDS_MAX = 30


class Endpoint:
    """An HTTP endpoint that keeps what it is sent, and answers ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.seen: list[tuple[dict[str, str], str]] = []
        self.taken: list[str] = []
        """The bodies that were answered with 200."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.seen.append(({name.lower(): text for name, text in self.headers.items()}, body))
                if endpoint.status == 200:
                    endpoint.taken.append(body)
                self.send_response(endpoint.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/sink?a=b"

    def wait(self, count: int) -> list[tuple[dict[str, str], str]]:
        wait_until(lambda: len(self.seen) >= count)
        return self.seen


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


def visit(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        body: bytes = answer.read()
        return body


def test_an_endpoint_confirms_and_is_told(client: Clients, endpoint: Endpoint) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="http")["TopicArn"]
    assert sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)["SubscriptionArn"] == (
        "pending confirmation"
    )
    ((headers, body),) = endpoint.wait(1)
    asked = json.loads(body)
    assert headers["x-amz-sns-message-type"] == asked["Type"] == "SubscriptionConfirmation"
    assert headers["user-agent"] == "Amazon Simple Notification Service Agent"
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    assert is_signed(asked)
    (entry,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert entry["SubscriptionArn"] == "PendingConfirmation"
    sns.publish(TopicArn=topic, Message="nobody hears this")
    assert b"<ConfirmSubscriptionResult><SubscriptionArn>" in visit(asked["SubscribeURL"])
    (entry,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arn = entry["SubscriptionArn"]
    assert sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])["SubscriptionArn"] == arn
    sns.publish(TopicArn=topic, Message="hear, hear")
    _, (headers, body) = endpoint.wait(2)
    assert (headers["x-amz-sns-message-type"], headers["x-amz-sns-subscription-arn"]) == ("Notification", arn)
    assert headers["x-amz-sns-message-id"] == json.loads(body)["MessageId"]
    assert json.loads(body)["Message"] == "hear, hear"
    assert is_signed(json.loads(body))
    visit(json.loads(body)["UnsubscribeURL"])
    *_, (headers, body) = endpoint.wait(3)
    assert json.loads(body)["Type"] == headers["x-amz-sns-message-type"] == "UnsubscribeConfirmation"


def test_an_endpoint_may_speak_tls_with_a_certificate_of_cloches_authority(
    server: Any, client: Clients, endpoint: Endpoint
) -> None:
    authority = Authority(server.data / "keys")
    endpoint.server.socket = authority.context("localhost").wrap_socket(endpoint.server.socket, server_side=True)
    sns = client("sns")
    topic = sns.create_topic(Name="tls")["TopicArn"]
    address = f"https://localhost:{endpoint.server.server_port}/"
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=address)
    ((_, body),) = endpoint.wait(1)
    sns.confirm_subscription(TopicArn=topic, Token=json.loads(body)["Token"])
    sns.publish(TopicArn=topic, Message="sealed")
    assert json.loads(endpoint.wait(2)[1][1])["Message"] == "sealed"


def test_what_an_endpoint_does_not_take_is_tried_again_and_buried(client: Clients, endpoint: Endpoint) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="http-retries")["TopicArn"]
    letters, letters_arn = queue_of(sqs, "http-letters")
    fast = {"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 2}}
    sns.subscribe(
        TopicArn=topic,
        Protocol="http",
        Endpoint=endpoint.url,
        Attributes={
            "RawMessageDelivery": "true",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": letters_arn}),
            "DeliveryPolicy": json.dumps({**fast, "requestPolicy": {"headerContentType": "text/csv"}}),
        },
    )
    ((_, body),) = endpoint.wait(1)
    visit(json.loads(body)["SubscribeURL"])
    endpoint.status = 503
    sns.publish(TopicArn=topic, Message="raw", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    (message,) = sqs.receive_message(QueueUrl=letters, WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    assert message["Body"] == "raw"
    assert message["MessageAttributes"]["a"]["StringValue"] == "b"
    assert [body for _, body in endpoint.seen[1:]] == ["raw"] * 3
    headers = endpoint.seen[1][0]
    assert (headers["x-amz-sns-rawdelivery"], headers["content-type"]) == ("true", "text/csv")
    endpoint.status = 404  # the endpoint's own no: not tried again
    sns.publish(TopicArn=topic, Message="no")
    assert sqs.receive_message(QueueUrl=letters, WaitTimeSeconds=20)["Messages"][0]["Body"] == "no"
    assert [body for _, body in endpoint.seen[4:]] == ["no"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://127.0.0.1@example.com/",
        "http://localhost.example.com/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "ftp://127.0.0.1/",
        "http:///x",
        "http://127.0.0.1:99999/",
    ],
)
def test_endpoints_elsewhere_are_refused(client: Clients, url: str) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="elsewhere")["TopicArn"]
    with pytest.raises(ClientError) as refused:
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    assert refused.value.response["Error"]["Code"] == "InvalidParameter"
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a client asks for that sends a mail."""

    mails: list[str] = []

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.upper().split()[0]
            if word == "DATA":
                self._say("354 go on")
                lines: list[str] = []
                while (line := self.rfile.readline().decode()) != ".\r\n":
                    lines.append(line)
                self.mails.append("".join(lines))
            self._say("221 bye" if word == "QUIT" else "250 good")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def test_mail_and_what_is_owed_survive_a_kill(start_server: Callable[..., Any], endpoint: Endpoint) -> None:
    """While the server is shot, what it acknowledged is in the queue once and reaches the endpoint at least once."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as smtp:
        smtp.daemon_threads = True
        threading.Thread(target=smtp.serve_forever, daemon=True).start()
        running = start_server("--smtp", f"127.0.0.1:{smtp.server_address[1]}")
        sns, sqs = running.client("sns"), running.client("sqs")
        often = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 50, "minDelayTarget": 1, "maxDelayTarget": 1}}}
        topic = sns.create_topic(Name="kill", Attributes={"DeliveryPolicy": json.dumps(often)})["TopicArn"]
        url, arn = queue_of(sqs, "kill-queue")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="team@example.com")
        visit(json.loads(endpoint.wait(1)[0][1])["SubscribeURL"])
        wait_until(lambda: bool(Mailbox.mails))
        (link,) = re.findall(r"http://127\S+", Mailbox.mails[0].replace("=\r\n", "").replace("=3D", "="))
        visit(link)
        endpoint.status = 500  # nothing is taken before the kill
        acknowledged: list[str] = []

        def publish() -> None:
            try:
                while True:
                    answer = sns.publish(TopicArn=topic, Message=f"m-{len(acknowledged)}")
                    acknowledged.append(answer["MessageId"])
            except Exception:
                return

        publishing = threading.Thread(target=publish)
        publishing.start()
        wait_until(lambda: len(acknowledged) > 30)
        running.process.send_signal(signal.SIGKILL)
        publishing.join()
        running.stop()
        endpoint.status = 200
        running.start()
        sqs, found = running.client("sqs"), []
        while messages := received(sqs, url):
            found += [json.loads(message["Body"])["MessageId"] for message in messages]
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        wait_until(lambda: set(acknowledged) <= {json.loads(body)["MessageId"] for body in endpoint.taken})
        wait_until(lambda: sum("Subject: AWS Notification Message" in m for m in Mailbox.mails) >= len(acknowledged))
        smtp.shutdown()
