"""The short way of reads answers what the ordinary way answers, to the byte.

``server/quick`` takes plain requests; an ``Upgrade`` header, which nobody signs, sends the very same request the
ordinary way.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
        ],
    }
)


def ask(
    server: Any,
    operation: str,
    members: Any,
    *,
    quick: bool,
    tamper: bool = False,
    keys: dict[str, str] | None = None,
    instead: Any = None,
) -> tuple[int, Any, set[str]]:
    """(status, body, names of headers) of one signed request; ``instead``: what is sent in place of what was signed."""
    keys = keys or server.keys
    body = json.dumps(members).encode()
    request = AWSRequest(
        "POST",
        server.url + "/",
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"SageMaker.{operation}"},
        data=body,
    )
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    SigV4Auth(credentials, "sagemaker", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    if tamper:
        headers["Authorization"] = headers["Authorization"][:-1] + ("0" if headers["Authorization"][-1] != "0" else "1")
    if not quick:
        headers["Upgrade"] = "nothing"
    if instead is not None:
        body = json.dumps(instead).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        names = {name.lower() for name, _ in answer.getheaders()}
        return answer.status, json.loads(answer.read()), names
    finally:
        connection.close()


@pytest.fixture(scope="module")
def configured(server: Any) -> str:
    """An endpoint configuration to read; its model needs no data."""
    iam, sagemaker = server.client("iam"), server.client("sagemaker")
    role = iam.create_role(RoleName="quick-reads", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    for number in range(3):
        sagemaker.create_model(
            ModelName=f"quick-reads-{number}", PrimaryContainer={"Image": image}, ExecutionRoleArn=role
        )
    return "quick-reads-1"


REQUESTS = [
    ("DescribeModel", {"ModelName": "quick-reads-1"}, 200),
    ("DescribeModel", {"ModelName": "quick-reads-not-there"}, 400),
    ("DescribeModel", {"ModelName": "not a name"}, 400),
    ("DescribeModel", {}, 400),
    ("DescribeModel", [], 400),
    ("ListModels", {"MaxResults": 2, "SortBy": "Name"}, 200),
    ("ListModels", {"NameContains": "quick-reads", "SortBy": "Name"}, 200),
    ("ListModels", {"NextToken": "forged"}, 400),
    ("DescribeTrainingJob", {"TrainingJobName": "not-there"}, 400),
    ("DescribePipeline", {"PipelineName": "x"}, 400),
    ("NoSuchOperation", {}, 400),
]


@pytest.mark.parametrize(("operation", "members", "status"), REQUESTS)
def test_both_ways_answer_alike(server: Any, configured: str, operation: str, members: Any, status: int) -> None:
    quick = ask(server, operation, members, quick=True)
    assert quick == ask(server, operation, members, quick=False)
    assert quick[0] == status
    assert "x-amzn-requestid" in quick[2]


def test_both_ways_refuse_a_wrong_signature_alike(server: Any, configured: str) -> None:
    members = {"ModelName": configured}
    quick = ask(server, "DescribeModel", members, quick=True, tamper=True)
    assert quick == ask(server, "DescribeModel", members, quick=False, tamper=True)
    assert quick[0] == 403 and quick[1]["__type"].endswith("InvalidSignatureException")


def test_pages_of_a_list_go_on_both_ways(server: Any, configured: str) -> None:
    members = {"MaxResults": 1, "SortBy": "Name", "NameContains": "quick-reads"}
    names = []
    for turn in range(3):
        _, page, _ = ask(server, "ListModels", members, quick=bool(turn % 2))
        names += [model["ModelName"] for model in page["Models"]]
        members["NextToken"] = page.get("NextToken")
    assert names == ["quick-reads-0", "quick-reads-1", "quick-reads-2"] or names == sorted(names, reverse=True)
    assert members["NextToken"] is None


def test_a_second_request_of_a_kind_is_asked_for_everything_that_may_have_changed(server: Any, configured: str) -> None:
    """What the first of alike requests was concluded to be is remembered; that its key is good is not."""
    iam, members = server.client("iam"), {"ModelName": configured}
    iam.create_user(UserName="reads-quickly")
    iam.attach_user_policy(UserName="reads-quickly", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    made = iam.create_access_key(UserName="reads-quickly")["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    for other in (configured, "quick-reads-2", configured):
        status, answer, _ = ask(server, "DescribeModel", {"ModelName": other}, quick=True, keys=keys)
        assert (status, answer["ModelName"]) == (200, other)
    status, answer, _ = ask(server, "DescribeModel", members, quick=True, keys=keys, instead={"ModelName": "other"})
    assert (status, answer["__type"].partition("#")[2] or answer["__type"]) == (403, "InvalidSignatureException")
    iam.update_access_key(UserName="reads-quickly", AccessKeyId=made["AccessKeyId"], Status="Inactive")
    refused = ask(server, "DescribeModel", members, quick=True, keys=keys)
    assert refused == ask(server, "DescribeModel", members, quick=False, keys=keys)
    assert refused[0] == 403
    iam.update_access_key(UserName="reads-quickly", AccessKeyId=made["AccessKeyId"], Status="Active")
    assert ask(server, "DescribeModel", members, quick=True, keys=keys)[0] == 200


def raw(server: Any, members: Any) -> bytes:
    """The head and the body of a signed DescribeModel, as an SDK writes them."""
    body = json.dumps(members).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.DescribeModel"}
    request = AWSRequest("POST", server.url + "/", headers=headers, data=body)
    keys = Credentials(server.keys["aws_access_key_id"], server.keys["aws_secret_access_key"])
    SigV4Auth(keys, "sagemaker", "us-east-1").add_auth(request)
    lines = {**dict(request.headers.items()), "Host": f"127.0.0.1:{server.port}", "Content-Length": str(len(body))}
    return b"POST / HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()).encode() + b"\r\n" + body


def test_one_connection_whose_heads_are_alike(server: Any, configured: str) -> None:
    """From the third request on a head is held against the last; however the bytes come, all is told apart."""

    def answers(connection: socket.socket, count: int) -> list[tuple[int, Any]]:
        found = []
        stream = connection.makefile("rb")
        for _ in range(count):
            status = int(stream.readline().split()[1])
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line[15:])
            found.append((status, json.loads(stream.read(length))))
        return found

    def names(found: list[tuple[int, Any]]) -> list[Any]:
        return [answer.get("ModelName") for _, answer in found]

    good, other = raw(server, {"ModelName": configured}), raw(server, {"ModelName": "quick-reads-2"})
    cut = good.index(b"\r\n\r\n") + 4
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for data in (good, good, good, other, good):
            connection.sendall(data)
            assert names(answers(connection, 1)) == ["quick-reads-2" if data is other else configured]
        for pieces in (
            (good[:cut], good[cut:]),
            (good[: cut + 3], good[cut + 3 : cut + 4], good[cut + 4 :] + other, good),
            (good[:30], good[30:cut], good[cut:]),
            (good + other + good[: cut + 2], good[cut + 2 :]),
        ):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.02)
            count = sum(map(len, pieces)) // len(good)
            assert [status for status, _ in answers(connection, count)] == [200] * count
        wrong = good.replace(b"Signature=", b"Signature=0", 1)
        for data, status in ((wrong, 403), (good, 200), (good[:-4] + b"9" + good[-3:], 403), (good, 200)):
            connection.sendall(data)
            assert [found for found, _ in answers(connection, 1)] == [status]
        connection.sendall(good[: cut + 3])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b"", "half a body is no request"
