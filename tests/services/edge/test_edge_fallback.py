"""``--fallback``: what is passed on, what is not, and how; against a toy server that tells what reached it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ONE_TRY = Config(retries={"total_max_attempts": 1})


class Toy(ThreadingHTTPServer):
    """Answers what ``answer`` says; remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (200, {"content-type": "application/x-amz-json-1.0"}, b"{}")
        self.breaks = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Toy

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, body))
        status, headers, answer = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.server.breaks:
            self.send_header("content-length", str(len(answer) + 100))
            self.end_headers()
            self.wfile.write(answer)
            self.close_connection = True
            return
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST


@pytest.fixture(scope="module")
def toy() -> Iterator[Toy]:
    made = Toy()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(scope="module")
def beside(server: Any, toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = type(server)(tmp_path_factory.mktemp("fallback") / "data", ("--fallback", toy.url)).start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def plain(toy: Toy) -> None:
    toy.seen.clear()
    toy.answer = (200, {"content-type": "application/x-amz-json-1.0"}, b"{}")
    toy.breaks = False


def test_a_json_service(beside: Any, toy: Toy) -> None:
    toy.answer = (200, {"content-type": "application/x-amz-json-1.0", "x-strange": "kept"}, b'{"TableNames":["one"]}')
    answer = beside.client("dynamodb").list_tables()
    assert answer["TableNames"] == ["one"]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-strange"] == "kept"
    (method, path, headers, body), *rest = toy.seen
    assert (method, path, body, rest) == ("POST", "/", b"{}", [])
    assert headers["host"] == toy.url.removeprefix("http://")
    assert headers["x-amz-target"] == "DynamoDB_20120810.ListTables"
    assert f"Credential={beside.keys['aws_access_key_id']}/" in headers["authorization"]
    assert headers["via"] == "1.1 cloche"


def test_a_query_service_and_a_rest_service(beside: Any, toy: Toy) -> None:
    toy.answer = (
        200,
        {"content-type": "text/xml"},
        b"<ListIdentitiesResponse><ListIdentitiesResult/></ListIdentitiesResponse>",
    )
    beside.client("ses").list_identities()
    assert b"Action=ListIdentities" in toy.seen[-1][3]
    toy.answer = (200, {"content-type": "application/json"}, b'{"item":[]}')
    assert beside.client("apigateway").get_rest_apis(limit=7)["items"] == []
    assert toy.seen[-1][:2] == ("GET", "/restapis?limit=7")


def test_errors_and_redirects_are_passed_on(beside: Any, toy: Toy) -> None:
    headers = {"content-type": "application/x-amz-json-1.0"}
    toy.answer = (400, headers, b'{"__type":"ResourceNotFoundException","message":"theirs"}')
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*theirs"):
        beside.client("dynamodb").describe_table(TableName="one")
    toy.answer = (302, {"location": f"{toy.url}/elsewhere"}, b"")
    with pytest.raises(ClientError) as refused:
        beside.client("dynamodb", config=ONE_TRY).list_tables()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 302
    assert [path for _, path, _, _ in toy.seen if path == "/elsewhere"] == []


def test_what_cloche_speaks_is_never_passed_on(beside: Any, toy: Toy) -> None:
    beside.client("sts").get_caller_identity()
    beside.client("s3").list_buckets()
    with pytest.raises(ClientError, match="Cloche does not offer"):
        beside.client("sagemaker").create_workforce(WorkforceName="w")
    with pytest.raises(ClientError):
        beside.client("s3").select_object_content(
            Bucket="b",
            Key="k",
            ExpressionType="SQL",
            Expression="SELECT 1",
            InputSerialization={"CSV": {}},
            OutputSerialization={"CSV": {}},
        )
    assert toy.seen == []


def test_one_of_several_services_with_one_scope(beside: Any, toy: Toy) -> None:
    """SageMaker's feature store signs as ``sagemaker``, which is offered; its path tells it apart."""
    toy.answer = (200, {"content-type": "application/json"}, b'{"Record":[]}')
    runtime = beside.client("sagemaker-featurestore-runtime")
    assert runtime.get_record(FeatureGroupName="g", RecordIdentifierValueAsString="1")["Record"] == []
    assert toy.seen[-1][1].startswith("/FeatureGroup/g?")


def test_signatures_must_hold(beside: Any, toy: Toy) -> None:
    wrong = beside.client("dynamodb", aws_secret_access_key="wrong", config=ONE_TRY)
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        wrong.list_tables()
    nobody = beside.client("sqs", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", config=ONE_TRY)
    with pytest.raises(ClientError, match=r"UnrecognizedClient|InvalidClientTokenId"):
        nobody.list_queues()
    assert toy.seen == []


def test_pages_of_others_do_not_pass(beside: Any, toy: Toy) -> None:
    request = urllib.request.Request(
        beside.url,
        b"{}",
        {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Origin": "https://evil.example"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403
    refused.value.close()
    assert toy.seen == []


def test_unsigned_requests_travel_as_they_came(beside: Any, toy: Toy) -> None:
    """Some operations are never signed (Cognito's InitiateAuth)."""
    request = urllib.request.Request(
        beside.url, b"{}", {"X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b"{}"
    assert "authorization" not in toy.seen[-1][2]


def test_large_bodies_both_ways(beside: Any, toy: Toy) -> None:
    answer = json.dumps({"Payload": "y" * 3_000_000}).encode()
    toy.answer = (200, {"content-type": "application/json"}, answer)
    code = b"z" * 20_000_000
    body = beside.client("bedrock-runtime").invoke_model(modelId="m", body=code)["body"].read()
    assert toy.seen[-1][3] == code
    assert body == answer


def test_a_body_without_a_length(beside: Any, toy: Toy) -> None:
    host = beside.url.removeprefix("http://")
    with socket.create_connection(("127.0.0.1", beside.port), timeout=30) as stream:
        stream.sendall(
            f"POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            '2\r\n{"\r\n3\r\na":\r\n2\r\n1}\r\n0\r\n\r\n'.encode()
        )
        answer = b""
        while piece := stream.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200")
    assert toy.seen[-1][3] == b'{"a":1}'


def test_an_answer_that_breaks_off_breaks_off(beside: Any, toy: Toy) -> None:
    toy.breaks = True
    toy.answer = (200, {"content-type": "application/json"}, b'{"half"')
    with pytest.raises(Exception, match=r"(?i)incomplete|closed|connection|read"):
        beside.client("bedrock-runtime", config=ONE_TRY).invoke_model(modelId="m", body=b"1")["body"].read()


def test_it_is_told(beside: Any, toy: Toy) -> None:
    beside.client("dynamodb").list_tables()
    assert f"dynamodb ListTables passed on to {toy.url}: 200" in beside.log()
    assert f"services that Cloche does not speak are passed on to {toy.url}" in beside.log()
    command = [sys.executable, "-m", "cloche.cli.main", "status", "--data", str(beside.data)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count = int(said.partition(f"fallback  {toy.url}, ")[2].split()[0])
    assert count >= 1
    token = (beside.data / "keys" / "console.token").read_text().strip()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(f"{beside.url}/?token={token}").close()
    with opener.open(f"{beside.url}/_cloche/requests") as page:
        text = page.read().decode()
    assert "dynamodb → fallback" in text
    assert f"passed on to {toy.url}" in text


def test_nobody_there(start_server: Callable[..., Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        running = start_server("--fallback", url)
        with pytest.raises(ClientError) as refused:
            running.client("dynamodb", config=ONE_TRY).list_tables()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    assert refused.value.response["Error"]["Code"] == "BadGateway"
    assert url in refused.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match=r"BadGateway.*cannot be reached"):
        running.client("ses", config=ONE_TRY).list_identities()


def test_without_a_fallback_nothing_is_passed_on(server: Any) -> None:
    with pytest.raises(ClientError, match="Cloche does not offer ListTables of dynamodb"):
        server.client("dynamodb").list_tables()


def test_a_request_that_comes_back(start_server: Callable[..., Any]) -> None:
    """Two servers that name each other: the second meets its own kind and says so."""
    first = start_server()
    second = start_server("--fallback", first.url, "--any-credentials")
    first.stop()
    first.arguments = ("--fallback", second.url, "--any-credentials")
    first.start()
    with pytest.raises(ClientError, match="sent the request back"):
        first.client("dynamodb", config=ONE_TRY).list_tables()


def test_signed_anew(toy: Toy, start_server: Callable[..., Any]) -> None:
    theirs = Credentials("THEIRS", "their-secret", "their-token")
    given = {
        "AWS_ACCESS_KEY_ID": theirs.access_key,
        "AWS_SECRET_ACCESS_KEY": theirs.secret_key,
        "AWS_SESSION_TOKEN": "their-token",
    }
    running = start_server("--fallback", toy.url, "--fallback-keys", "env", environment=given)
    running.client("dynamodb").describe_table(TableName="one")
    method, path, headers, body = toy.seen[-1]
    assert "Credential=THEIRS/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "their-token"
    assert "their-secret" not in running.log()
    assert is_signed_by(theirs, "dynamodb", method, toy.url + path, headers, body)
    toy.answer = (200, {"content-type": "application/json"}, b'{"item":[]}')
    running.client("apigateway").get_rest_apis(position="a b/c+d", limit=3)
    method, path, headers, body = toy.seen[-1]
    assert is_signed_by(theirs, "apigateway", method, toy.url + path, headers, body)


def is_signed_by(keys: Credentials, service: str, method: str, url: str, headers: dict[str, str], body: bytes) -> bool:
    """botocore's own signer, given the same, comes to the same signature."""
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    kept = {name: headers[name] for name in names if name not in ("host", "x-amz-security-token")}
    request = AWSRequest(method, url, kept, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(keys, service, "us-east-1")
    signer._modify_request_before_signing(request)  # type: ignore[attr-defined]
    request.headers.replace_header("X-Amz-Date", headers["x-amz-date"])
    text = signer.string_to_sign(request, signer.canonical_request(request))  # type: ignore[attr-defined]
    return headers["authorization"].endswith(signer.signature(text, request))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fallback", "ftp://127.0.0.1"], "--fallback takes a URL"),
        (["--fallback", "127.0.0.1:5000"], "--fallback takes a URL"),
        (["--fallback", "http://me:secret@127.0.0.1:5000"], "no user name or password"),
        (["--fallback", "http://127.0.0.1:5000", "--fallback-keys", "env"], "needs AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_cannot_be_one(arguments: list[str], said: str, tmp_path: Any) -> None:
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(tmp_path / "data")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert said in done.stderr
