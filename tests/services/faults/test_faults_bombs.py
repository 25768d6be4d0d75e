"""Small requests that want to be large: signed as they should be, refused in AWS's words, in bounded memory and time.

What is measured is the server's peak of resident memory, reset before each request (``clear_refs``), beyond what it
held before. ``bad-input.md`` allows XML 50 MB; a body of 16 MiB that is parsed may cost more, but not many times more.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

pytestmark = pytest.mark.slow
SECONDS_MAX = 60
CBOR_PATH = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
MIB = 1 << 20


def memory(server: Any, which: str) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(which)) // 1024


def sent(
    server: Any, service: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes, int]:
    """Status, body, and by how many MiB the server's memory had grown at its peak."""
    keys = server.keys
    url = f"http://127.0.0.1:{server.port}{path}"
    request = AWSRequest(method, url, data=body, headers={"Host": f"127.0.0.1:{server.port}", **headers})
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"]), service, "us-east-1").add_auth(request)
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    before = memory(server, "VmRSS")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS_MAX)
    try:
        try:
            connection.request(method, path, body, dict(request.headers.items()))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before its end: the answer is there all the same
        answer = connection.getresponse()
        return answer.status, answer.read(), memory(server, "VmHWM") - before
    except ConnectionResetError:
        return 413, b"", memory(server, "VmHWM") - before
    finally:
        connection.close()


JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.CreateTrainingJob"}
JSON_BOMBS = {
    "100,000 deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "lists 100,000 deep": (b'{"Tags":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "a million lists": (b'{"Tags":[' + b"[]," * 1_000_001 + b"[]]}", 400),
    "a list for a structure": (b"[" + b"1," * 1_000_000 + b"1]", 400),
    "a million names": (b"{" + b",".join(b'"a%d":1' % n for n in range(1_000_000)) + b"}", 400),
    "a million double names": (b"{" + b'"a":1,' * 1_000_000 + b'"a":1}', 400),
    "5,000 digits": (b'{"RetryStrategy":{"MaximumRetryAttempts":' + b"1" * 5_000 + b"}}", 400),
    "a million digits": (b'{"RetryStrategy":{"MaximumRetryAttempts":' + b"1" * 1_000_000 + b"}}", 400),
    "an exponent of a million": (b'{"RetryStrategy":{"MaximumRetryAttempts":1e1000000}}', 400),
    "16 MiB of one text": (b'{"TrainingJobName":"' + b"a" * (16 * MIB - 100) + b'"}', 400),
    "escapes": (b'{"TrainingJobName":"' + b"\\u0041" * 1_000_000 + b'"}', 400),
    "lone surrogates": (b'{"TrainingJobName":"' + b"\\ud800" * 100_000 + b'"}', 400),
    "not JSON": (b"\x00" * MIB, 400),
    "100 MB": (b" " * 100_000_000, 413),
}


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_json(server: Any, name: str) -> None:
    body, status = JSON_BOMBS[name]
    seen, said, grown = sent(server, "sagemaker", "POST", "/", body, JSON)
    assert seen == status, said[:300]
    assert grown < 320


ENTITIES = b"".join(b'<!ENTITY e%d "&e%d;&e%d;">' % (n + 1, n, n) for n in range(40))
XML_BOMBS = {
    "entity bomb": b'<!DOCTYPE x [<!ENTITY e0 "ha">' + ENTITIES + b"]><Delete>&e40;</Delete>",
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    "external subset": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Delete/>',
    "a parameter entity": b'<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><Delete/>',
    "a document type alone": b"<!DOCTYPE Delete><Delete/>",
    "100,000 deep": b"<a>" * 100_000,
    "100,000 deep and closed": b"<a>" * 100_000 + b"</a>" * 100_000,
    "a million elements": b"<Delete>" + b"<Object/>" * 1_000_000 + b"</Delete>",
    "a million attributes": b"<Delete " + b" ".join(b'a%d=""' % n for n in range(200_000)) + b"/><",
    "one name of a megabyte": b"<" + b"a" * MIB + b">",
    "1,001 keys": b"<Delete>" + b"".join(b"<Object><Key>%d</Key></Object>" % n for n in range(1_001)) + b"</Delete>",
    "not XML": b"{}" * 100_000,
}


@pytest.mark.parametrize("name", XML_BOMBS)
def test_xml(server: Any, name: str) -> None:
    server.client("s3").create_bucket(Bucket="faults-bombs")
    body = XML_BOMBS[name]
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    seen, said, grown = sent(server, "s3", "POST", "/faults-bombs?delete", body, headers)
    assert seen == 400, said[:300]
    assert b"<Code>MalformedXML</Code>" in said
    assert b"root:" not in said
    assert grown < 50


CBOR_BOMBS = {
    "text of 2^63": b"\x7b\x80" + b"\x00" * 7,
    "list of 2^63": b"\x9b\x80" + b"\x00" * 7,
    "map of 2^64-1": b"\xbb" + b"\xff" * 8,
    "100,000 deep": b"\x9f" * 100_000,
    "maps 100,000 deep": b"\xbf\x61a" * 100_000,
    "tags 100,000 deep": b"\xc1" * 100_000,
    "indefinite forever": b"\x9f" + b"\x00" * MIB,
    "chunks forever": b"\x7f" + b"\x61a" * MIB,
    "a million empty lists": b"\x9f" + b"\x80" * 1_100_000 + b"\xff",
    "promises of many": b"\x9a\x00\x0f\x42\x40" * 200_000,
}


@pytest.mark.parametrize("name", CBOR_BOMBS)
def test_cbor(server: Any, name: str) -> None:
    headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
    seen, said, grown = sent(server, "monitoring", "POST", CBOR_PATH, CBOR_BOMBS[name], headers)
    assert seen == 400, said[:300]
    assert b"SerializationException" in said
    assert grown < 160


FORM_BOMBS = {
    "100,001 fields": b"Action=ListRoles&Version=2010-05-08&" + b"&".join([b"a=b"] * 100_001),
    "deep": b"Action=ListRoles&Version=2010-05-08&" + b".".join([b"a"] * 100_000) + b"=x",
    "16 MiB and more": b"Action=ListRoles&Version=2010-05-08&a=" + b"b" * (16 * MIB),
    "an index of a million digits": b"Action=TagRole&Version=2010-05-08&RoleName=r&Tags.member."
    + b"1" * MIB
    + b".Key=x",
}


@pytest.mark.parametrize("name", FORM_BOMBS)
def test_forms(server: Any, name: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    seen, said, grown = sent(server, "iam", "POST", "/", FORM_BOMBS[name], headers)
    assert seen in (400, 413), said[:300]
    assert grown < 160


@cache
def zeros(megabytes: int) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MIB)
    return b"".join(machine.compress(block) for _ in range(megabytes)) + machine.flush()


GZIP_BOMBS = {
    "1 GB of zeros": (lambda: zeros(1_000), 413),
    "packed twice": (lambda: gzip.compress(zeros(100)), 400),
    "17 MiB": (lambda: zeros(17), 413),
    "cut": (lambda: gzip.compress(b'{"Namespace":"n","MetricData":[]}')[:-5], 400),
    "two members": (lambda: gzip.compress(b"{}") + gzip.compress(b"{}"), 400),
    "no gzip": (lambda: b"{}", 400),
}


@pytest.mark.parametrize("name", GZIP_BOMBS)
@pytest.mark.parametrize("protocol", ["json", "query", "cbor"])
def test_gzip(server: Any, name: str, protocol: str) -> None:
    make, status = GZIP_BOMBS[name]
    target = "GraniteServiceVersion20100801.PutMetricData"
    headers, path = {
        "json": (
            {
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": target,
            },
            "/",
        ),
        "query": ({"Content-Type": "application/x-www-form-urlencoded"}, "/"),
        "cbor": ({"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}, CBOR_PATH),
    }[protocol]
    seen, said, grown = sent(server, "monitoring", "POST", path, make(), {**headers, "Content-Encoding": "gzip"})
    assert seen in ((400, 404) if status == 400 else (413,)), said[:300]
    assert grown < 160


def test_a_policy_of_stars(server: Any) -> None:
    """Wildcards from the user are matched in linear time."""
    iam = server.client("iam")
    stars = "a*" * 40 + "b"
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"s3:{stars}", "Resource": "*"}]}
    asked = iam.simulate_custom_policy(
        PolicyInputList=[json.dumps(policy)], ActionNames=["s3:" + "a" * 80], ResourceArns=["arn:aws:s3:::x"]
    )
    assert asked["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"


def test_it_is_still_well(server: Any) -> None:
    assert server.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert "Traceback" not in server.log()
