from __future__ import annotations

import datetime
import email.header
import hashlib
import http.client
import io
import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

ODD_KEYS = [
    "..",
    "../../etc/passwd",
    "a/../../b",
    "a//b",
    "/lead",
    "trail/",
    "%2e%2e%2f",
    "..\\",
    ".",
    "a b+c",
    "tab\tnewline\nreturn\r",
    "\x01\x1f\x7f",
    "nul\x00",
    "é\u0301ü\U0001f525\ufffd",
    "?versionId=x&uploads",
    "x" * 1024,
    "\U0001f525" * 256,
    "_meta",
    ".tmp",
]


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_any_key_is_that_key(s3, bucket, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [entry["Key"] for entry in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    if any(ord(character) < 32 for character in key):  # XML has no such characters, so no document can name it
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
        assert [entry["Key"] for entry in gone["Deleted"]] == [key]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


def test_a_key_that_is_too_long(s3, bucket, refused) -> None:
    refusal = refused(s3.put_object, Bucket=bucket, Key="é" * 513, Body=b"")
    assert (refusal.code, refusal.status) == ("KeyTooLongError", 400)


def test_everything_said_of_an_object_is_told_again(s3, bucket) -> None:
    said = {
        "ContentType": "text/csv",
        "CacheControl": "max-age=3",
        "ContentDisposition": 'attachment; filename="x"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"colour": "green", "dash-ed": "1"},
        "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "aws:kms",
    }
    s3.put_object(Bucket=bucket, Key="key", Body=b"data", Tagging="a=1&b=%C3%BC", **said)
    got = s3.get_object(Bucket=bucket, Key="key")
    assert got["Body"].read() == b"data"
    for told in (s3.head_object(Bucket=bucket, Key="key"), got):
        assert {name: told[name] for name in said} == said
        assert told["ETag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
        assert (told["ContentLength"], told["TagCount"], told["AcceptRanges"]) == (4, 2, "bytes")
        assert told["ResponseMetadata"]["HTTPHeaders"]["x-content-type-options"] == "nosniff"
    plain = s3.put_object(Bucket=bucket, Key="plain", Body=b"")
    assert plain["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"


def test_missing_things(s3, bucket, refused) -> None:
    missing = refused(s3.get_object, Bucket=bucket, Key="nothing")
    assert (missing.code, missing.status, missing.fields["Key"]) == ("NoSuchKey", 404, "nothing")
    assert missing.message == "The specified key does not exist."
    head = refused(s3.head_object, Bucket=bucket, Key="nothing")
    assert (head.code, head.message, head.status) == ("404", "Not Found", 404)
    no_bucket = refused(s3.get_object, Bucket="no-such-bucket", Key="nothing")
    assert (no_bucket.code, no_bucket.fields["BucketName"]) == ("NoSuchBucket", "no-such-bucket")
    assert refused(s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"").code == "NoSuchBucket"


@pytest.mark.parametrize(
    ("asked", "expected", "told"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ],
)
def test_ranges(s3, bucket, asked: str, expected: bytes, told: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="key", Range=asked)
    assert (got["Body"].read(), got["ContentRange"]) == (expected, told)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket=bucket, Key="key", Range=asked)
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (len(expected), 206)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=100-200", "bytes=-0"])
def test_ranges_that_cannot_be(s3, bucket, refused, asked: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    refusal = refused(s3.get_object, Bucket=bucket, Key="key", Range=asked)
    assert (refusal.code, refusal.status) == ("InvalidRange", 416)
    assert refusal.fields["ActualObjectSize"] == "10"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes=-"])
def test_ranges_that_are_none(s3, bucket, asked: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="key", Range=asked)
    assert (got["Body"].read(), got["ResponseMetadata"]["HTTPStatusCode"]) == (b"0123456789", 200)


def test_an_empty_object_has_no_ranges(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b""
    assert refused(s3.get_object, Bucket=bucket, Key="key", Range="bytes=0-0").code == "InvalidRange"
    assert s3.get_object(Bucket=bucket, Key="key", PartNumber=1)["Body"].read() == b""


def test_conditions_of_reads(s3, bucket, refused) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]
    at = s3.head_object(Bucket=bucket, Key="key")["LastModified"]
    hour = datetime.timedelta(hours=1)
    fine = [
        {"IfMatch": etag},
        {"IfMatch": "*"},
        {"IfMatch": etag, "IfUnmodifiedSince": at - hour},
        {"IfNoneMatch": '"other"', "IfModifiedSince": at + hour},
        {"IfModifiedSince": at - hour},
        {"IfUnmodifiedSince": at},
    ]
    for conditions in fine:
        assert s3.get_object(Bucket=bucket, Key="key", **conditions)["Body"].read() == b"x"
    for conditions in ({"IfMatch": '"other"'}, {"IfUnmodifiedSince": at - hour}):
        refusal = refused(s3.get_object, Bucket=bucket, Key="key", **conditions)
        assert (refusal.code, refusal.status) == ("PreconditionFailed", 412)
    for conditions in ({"IfNoneMatch": etag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": at}):
        for call in (s3.get_object, s3.head_object):
            refusal = refused(call, Bucket=bucket, Key="key", **conditions)
            assert (refusal.status, refusal.headers["etag"]) == (304, etag)


def test_conditions_of_writes(s3, bucket, refused) -> None:
    first = s3.put_object(Bucket=bucket, Key="key", Body=b"1", IfNoneMatch="*")["ETag"]
    taken = refused(s3.put_object, Bucket=bucket, Key="key", Body=b"2", IfNoneMatch="*")
    assert (taken.code, taken.status) == ("PreconditionFailed", 412)
    assert refused(s3.put_object, Bucket=bucket, Key="other", Body=b"", IfMatch=first).code == "NoSuchKey"
    s3.put_object(Bucket=bucket, Key="key", Body=b"2", IfMatch=first)
    assert refused(s3.put_object, Bucket=bucket, Key="key", Body=b"3", IfMatch=first).status == 412
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"2"
    assert refused(s3.delete_object, Bucket=bucket, Key="key", IfMatch=first).status == 412


def test_answers_may_be_dressed_up(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    got = s3.get_object(
        Bucket=bucket,
        Key="key",
        ResponseContentType="text/html",
        ResponseContentDisposition="attachment",
        ResponseCacheControl="no-store",
    )
    assert got["Body"].read() == b"x"
    assert (got["ContentType"], got["ContentDisposition"], got["CacheControl"]) == (
        "text/html",
        "attachment",
        "no-store",
    )
    refusal = refused(s3.get_object, Bucket=bucket, Key="key", ResponseContentType="a\r\nset-cookie: b")
    assert refusal.status == 400


def test_metadata_beyond_ascii_is_spelled(s3, bucket) -> None:
    def say(params, **_) -> None:  # boto3 itself takes US-ASCII alone
        params["headers"]["x-amz-meta-name"] = "Grüße"

    s3.meta.events.register("before-call.s3.PutObject", say)
    try:
        s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    finally:
        s3.meta.events.unregister("before-call.s3.PutObject", say)
    spelled = s3.head_object(Bucket=bucket, Key="key")["Metadata"]["name"]
    assert str(email.header.make_header(email.header.decode_header(spelled))) == "Grüße"


def test_metadata_has_a_limit(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"", Metadata={"k": "v" * 2047})
    refusal = refused(s3.put_object, Bucket=bucket, Key="key", Body=b"", Metadata={"k": "v" * 2048})
    assert (refusal.code, refusal.status) == ("MetadataTooLarge", 400)


@pytest.mark.parametrize(
    "asks",
    [
        {"ObjectLockEventHold": "ON"},
        {"StorageClass": "GLACIER"},
        {"WriteOffsetBytes": 3},
    ],
    ids=lambda asks: next(iter(asks)),
)
def test_what_cloche_does_not_do_is_refused_by_name(s3, bucket, refused, asks) -> None:
    refusal = refused(s3.put_object, Bucket=bucket, Key="key", Body=b"x", **asks)
    assert (refusal.code, refusal.status) == ("NotImplemented", 501)
    assert "x-amz-" in refusal.message
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


def test_an_unversioned_bucket_has_the_version_null(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="key", VersionId="null")["Body"].read() == b"x"
    refusal = refused(s3.get_object, Bucket=bucket, Key="key", VersionId="abc")
    assert (refusal.code, refusal.message) == ("InvalidArgument", "Invalid version id specified")


def test_deleting(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    assert s3.delete_object(Bucket=bucket, Key="key")["ResponseMetadata"]["HTTPStatusCode"] == 204
    s3.delete_object(Bucket=bucket, Key="key")  # not there: no error
    keys = [{"Key": f"k{number}"} for number in range(1000)]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})["Deleted"]) == 1000
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    refusal = refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": [*keys, {"Key": "one more"}]})
    assert (refusal.code, refusal.status) == ("MalformedXML", 400)


def test_tags_of_an_object(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == []
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="key", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="key")
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == []
    many = [{"Key": str(number), "Value": ""} for number in range(11)]
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="key", Tagging={"TagSet": many}).code == "BadRequest"
    for bad in ({"Key": "k" * 129, "Value": ""}, {"Key": "aws:x", "Value": ""}, {"Key": "k", "Value": "v" * 257}):
        refusal = refused(s3.put_object_tagging, Bucket=bucket, Key="key", Tagging={"TagSet": [bad]})
        assert refusal.code == "InvalidTag"
    twice = [{"Key": "a", "Value": ""}] * 2
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="key", Tagging={"TagSet": twice}).code == "InvalidTag"
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="nothing").code == "NoSuchKey"


def test_presigned(server, bucket) -> None:
    s3 = server.client("s3", config=Config(signature_version="s3v4"))
    key = "a b/é+%.txt"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key})
    request = urllib.request.Request(put, data=b"content", method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    got = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    with urllib.request.urlopen(got) as answer:
        assert (answer.read(), answer.headers["x-content-type-options"]) == (b"content", "nosniff")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(got.replace("a%20b", "a%20c"))
    with caught.value as answer:
        assert answer.code == 403


def test_large_bodies_stream(s3, bucket, tmp_path) -> None:
    data = bytes(range(256)) * 40_000
    s3.upload_fileobj(io.BytesIO(data), bucket, "large")
    s3.download_file(bucket, "large", str(tmp_path / "large"))
    assert (tmp_path / "large").read_bytes() == data
    s3.put_object(Bucket=bucket, Key="one piece", Body=io.BytesIO(data))
    assert s3.get_object(Bucket=bucket, Key="one piece")["Body"].read() == data


def test_a_client_that_goes_away_leaves_nothing(server, s3, bucket, refused) -> None:
    s3v4 = server.client("s3", config=Config(signature_version="s3v4"))
    url = urlsplit(s3v4.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "key"}))
    before = data_files(server)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 9000000\r\n\r\n"
        connection.sendall(head.encode() + bytes(5_000_000))
        deadline = time.monotonic() + 20
        while len(data_files(server)) == len(before) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(data_files(server)) == len(before) + 1
    while data_files(server) != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert data_files(server) == before
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


def data_files(server) -> set[str]:
    return {path.name for path in (server.data / "objects" / "tmp").iterdir()}


def test_a_body_of_http_chunks(server, s3, bucket) -> None:
    s3v4 = server.client("s3", config=Config(signature_version="s3v4"))
    url = urlsplit(s3v4.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "key"}))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("PUT", f"{url.path}?{url.query}", iter([b"hel", b"lo"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"hello"
