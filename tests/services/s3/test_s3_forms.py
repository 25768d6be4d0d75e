"""Browser forms that upload: as boto3 signs them (both signatures), and as raw bytes on a socket."""

from __future__ import annotations

import base64
import json
import socket
import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config

Part = tuple[str, str | bytes]


def multipart(fields: list[Part], file: bytes | None = b"content", filename: str = "report.txt") -> tuple[bytes, str]:
    """A form as browsers write it, and its content type."""
    boundary = "----boundary7d1"
    pieces = []
    for name, value in fields:
        data = value if isinstance(value, bytes) else value.encode()
        pieces.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        )
    if file is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        pieces.append(head.encode() + b"Content-Type: image/png\r\n\r\n" + file + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Reply:
    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}

    @property
    def code(self) -> str:
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()

    @property
    def message(self) -> str:
        return self.body.partition(b"<Message>")[2].partition(b"</Message>")[0].decode()


def post(server: Any, path: str, body: bytes, kind: str, host: str = "", cut: int = 0) -> Reply:
    """One POST in small pieces over a socket of its own."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{server.port}'}\r\nConnection: close\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(head.encode())
        sent = body[: len(body) - cut]
        step = 7 if len(sent) < 4096 else 60_000
        raw = b""
        try:
            for at in range(0, len(sent), step):
                connection.sendall(sent[at : at + step])
            if cut:
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                raw += data
        except ConnectionError:
            raw = raw or b"HTTP/1.1 0 closed\r\n\r\n"
    return Reply(raw or b"HTTP/1.1 0 closed\r\n\r\n")


@pytest.fixture(params=["s3v4", "old"])
def signer(request: Any, server: Any, s3: Any) -> Any:
    """boto3 signs forms of us-east-1 with Version 2 unless it is told otherwise."""
    return server.client("s3", config=Config(signature_version="s3v4")) if request.param == "s3v4" else s3


def signed(signer: Any, bucket: str, key: str, fields: dict[str, str], conditions: list[Any]) -> list[Part]:
    made = signer.generate_presigned_post(bucket, key, Fields=fields, Conditions=conditions)
    return list(made["fields"].items())


def test_a_form_that_boto3_signed(server, s3, bucket, signer) -> None:
    given = {
        "Content-Type": "text/plain",
        "x-amz-meta-colour": "grün",
        "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>",
    }
    conditions = [{name: value} for name, value in given.items()] + [["content-length-range", 1, 100]]
    body, kind = multipart(signed(signer, bucket, "up/${filename}", given, conditions))
    reply = post(server, f"/{bucket}", body, kind)
    assert (reply.status, reply.body) == (204, b"")
    found = s3.get_object(Bucket=bucket, Key="up/report.txt")
    assert (found["Body"].read(), found["ContentType"]) == (b"content", "text/plain")
    assert found["ETag"] == reply.headers["etag"]
    assert reply.headers["location"].endswith(f"/{bucket}/up%2Freport.txt")
    assert s3.get_object_tagging(Bucket=bucket, Key="up/report.txt")["TagSet"] == [{"Key": "a", "Value": "b c"}]


def test_a_form_to_the_buckets_own_name(server, s3, bucket, signer) -> None:
    body, kind = multipart(signed(signer, bucket, "key", {}, []))
    assert post(server, "/", body, kind, host=f"{bucket}.localhost:{server.port}").status == 204
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"content"


def test_a_field_is_a_field_by_its_name(server, s3, bucket, signer) -> None:
    """Even where a client gives it a file name, as Python's requests does of ``files=``."""
    body, kind = multipart(signed(signer, bucket, "key", {}, []))
    body = body.replace(b'name="key"', b'name="KEY"; filename="key"')
    assert post(server, f"/{bucket}", body, kind).status == 204
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"content"


def test_large_files_and_what_follows_them(server, s3, bucket, signer) -> None:
    content = bytes(range(256)) * 20_000 + b"\r\n------boundary7\r\n"
    body, kind = multipart(signed(signer, bucket, "large", {}, []), content)
    body = body.replace(b"--\r\n", b"\r\n", 1) if body.count(b"--\r\n") > 99 else body
    assert post(server, f"/{bucket}", body, kind).status == 204
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == content


def test_what_the_sender_is_answered(server, bucket, signer) -> None:
    def reply_to(**asked: str) -> Reply:
        fields = signed(signer, bucket, "a b&c", asked, [{name: value} for name, value in asked.items()])
        return post(server, f"/{bucket}", *multipart(fields))

    made = reply_to(success_action_status="201")
    assert made.status == 201
    assert f"<Bucket>{bucket}</Bucket><Key>a b&amp;c</Key>".encode() in made.body
    assert reply_to(success_action_status="200").status == 200
    assert reply_to(success_action_status="404").status == 204
    onward = reply_to(success_action_redirect="http://example.com/done?from=form")
    assert onward.status == 303
    told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(onward.headers["location"]).query))
    assert told == {"from": "form", "bucket": bucket, "key": "a b&c", "etag": onward.headers["etag"]}
    assert reply_to(success_action_redirect="javascript:alert(1)").status == 204


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"key": "other"}, 403, "AccessDenied", 'Policy Condition failed: ["eq", "$key", "key"]'),
        ({"x-amz-meta-more": "x"}, 403, "AccessDenied", "Extra input fields: x-amz-meta-more"),
        ({"x-ignore-more": "x"}, 204, "", ""),
        ({"acl": "public-read"}, 403, "AccessDenied", "Extra input fields: acl"),
        ({"key": ""}, 400, "InvalidArgument", "'key'"),
        ({"policy": "bm90IHRoaXM="}, 403, "SignatureDoesNotMatch", ""),
        ({"policy": None}, 400, "InvalidArgument", "'policy'"),
    ],
    ids=str,
)
def test_what_the_policy_does_not_say(server, bucket, signer, change, status, code, words) -> None:
    fields = dict(signed(signer, bucket, "key", {}, []))
    fields.update({name: value for name, value in change.items() if value is not None})
    kept = [(name, value) for name, value in fields.items() if not (name in change and change[name] is None)]
    reply = post(server, f"/{bucket}", *multipart(kept))
    assert (reply.status, reply.code) == (status, code)
    assert words.replace('"', "&quot;") in reply.message or words in reply.message


def test_sizes_are_bounded_by_the_policy(server, s3, bucket, signer, refused) -> None:
    fields = signed(signer, bucket, "sized", {}, [["content-length-range", 5, 10]])
    for content, code in (
        (b"1234", "EntityTooSmall"),
        (b"x" * 11, "EntityTooLarge"),
        (b"x" * 300_000, "EntityTooLarge"),
    ):
        reply = post(server, f"/{bucket}", *multipart(fields, content))
        assert (reply.status, reply.code) == (400, code)
    assert refused(s3.head_object, Bucket=bucket, Key="sized").status == 404
    assert post(server, f"/{bucket}", *multipart(fields, b"x" * 10)).status == 204


def test_checksums_are_checked(server, bucket, signer) -> None:
    right = {"x-amz-checksum-sha256": "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M="}
    fields = signed(signer, bucket, "summed", {}, [])
    assert post(server, f"/{bucket}", *multipart([*fields, *right.items()])).status == 204
    reply = post(server, f"/{bucket}", *multipart([*fields, *right.items()], b"something else"))
    assert (reply.status, reply.code) == (400, "BadDigest")


def test_expired_and_malformed_policies(server, s3, bucket) -> None:
    import hashlib
    import hmac

    keys = server.keys

    def reply_to(policy: Any) -> Reply:
        text = base64.b64encode(policy if isinstance(policy, bytes) else json.dumps(policy).encode())
        signature = base64.b64encode(hmac.digest(keys["aws_secret_access_key"].encode(), text, hashlib.sha1))
        fields: list[Part] = [("key", "k"), ("AWSAccessKeyId", keys["aws_access_key_id"]), ("policy", text)]
        return post(server, f"/{bucket}", *multipart([*fields, ("signature", signature)]))

    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    good = {"expiration": later, "conditions": [{"key": "k"}]}
    assert reply_to(good).status == 204
    expired = reply_to({**good, "expiration": "2020-01-01T00:00:00Z"})
    assert (expired.status, expired.code) == (403, "AccessDenied")
    assert "Policy expired" in expired.message
    for wrong in (
        b"{",
        b"[]",
        {"conditions": []},
        {"expiration": later},
        {"expiration": "tomorrow", "conditions": []},
        {"expiration": later, "CONDITIONS": []},
        {**good, "conditions": [["resembles", "$key", "k"]]},
        {**good, "conditions": [["eq", "key", "k"]]},
        {**good, "conditions": [["content-length-range", 0, "much"]]},
        {**good, "conditions": [{"key": "k", "acl": "private"}]},
        {**good, "conditions": ["key"]},
    ):
        reply = reply_to(wrong)
        assert (reply.status, reply.code) == (400, "InvalidPolicyDocument"), wrong


def test_forms_that_are_not_well_formed(server, s3, bucket, signer) -> None:
    fields = signed(signer, bucket, "broken", {}, [])
    body, kind = multipart(fields)
    cases = [
        (multipart(fields, None), "InvalidArgument"),
        ((body, "multipart/form-data"), "MalformedPOSTRequest"),
        ((body[:-20], kind), "MalformedPOSTRequest"),
        ((b"", kind), "MalformedPOSTRequest"),
        ((body.replace(b"form-data; name", b"form-data; nome", 1), kind), "MalformedPOSTRequest"),
        (multipart([("x-ignore-1", "x" * 30_000), *fields]), "MaxPostPreDataLengthExceeded"),
        (multipart([(f"x-ignore-{n}", "x" * 200) for n in range(150)]), "MaxPostPreDataLengthExceeded"),
        (multipart([*fields, ("key", "again")]), "InvalidArgument"),
        (multipart([("key", b"\xff\xfe")]), "MalformedPOSTRequest"),
    ]
    for (made, form_kind), code in cases:
        reply = post(server, f"/{bucket}", made, form_kind)
        assert (reply.status, reply.code) == (400, code), made[:80]
    assert post(server, f"/{bucket}", body, kind, cut=30).status in (0, 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="broken")


def test_who_may_not_put_may_not_post(server, s3, bucket, refused) -> None:
    reply = post(server, f"/{bucket}", *multipart([("key", "anonymous")]))
    assert (reply.status, reply.code) == (403, "AccessDenied")
    reply = post(server, "/no-such-bucket-here", *multipart([("key", "k")]))
    assert (reply.status, reply.code) == (404, "NoSuchBucket")
    s3.create_bucket(Bucket="open-forms", ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket="open-forms")
    s3.put_bucket_acl(Bucket="open-forms", ACL="public-read-write")
    assert post(server, "/open-forms", *multipart([("key", "anonymous"), ("acl", "public-read")])).status == 204
    assert s3.get_object(Bucket="open-forms", Key="anonymous")["Body"].read() == b"content"
