from __future__ import annotations

import base64
import hashlib
import http.client
import zlib

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloche.storage.objects.checksums import composite, digest

CRC32C_OF_HELLO = "mnG7TA=="  # of b"hello": RFC 3720's polynomial; as google-crc32c and awscrt compute it


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_boto3s_default_is_kept(s3, bucket) -> None:
    put = s3.put_object(Bucket=bucket, Key="key", Body=b"hello")
    expected = b64(zlib.crc32(b"hello").to_bytes(4, "big"))
    assert (put["ChecksumCRC32"], put["ChecksumType"]) == (expected, "FULL_OBJECT")
    got = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (b"hello", expected)
    assert "ChecksumCRC32" not in _plain(s3, bucket)


def _plain(s3, bucket):
    response = s3.head_object(Bucket=bucket, Key="key")
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("ChecksumSHA256", b64(hashlib.sha256(b"hello").digest())),
        ("ChecksumSHA1", b64(hashlib.sha1(b"hello").digest())),
        ("ChecksumSHA512", b64(hashlib.sha512(b"hello").digest())),
        ("ChecksumCRC32C", CRC32C_OF_HELLO),
    ],
)
def test_given_checksums_are_checked_and_kept(s3, bucket, refused, member: str, value: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"hello", **{member: value})
    assert s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")[member] == value
    wrong = refused(s3.put_object, Bucket=bucket, Key="wrong", Body=b"hellO", **{member: value})
    assert (wrong.code, wrong.status) == ("BadDigest", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="wrong").status == 404
    assert refused(s3.put_object, Bucket=bucket, Key="wrong", Body=b"", **{member: "AAA="}).code == "InvalidRequest"


def test_content_md5(s3, bucket, refused) -> None:
    right = b64(hashlib.md5(b"hello").digest())
    s3.put_object(Bucket=bucket, Key="key", Body=b"hello", ContentMD5=right)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5=right).code == "BadDigest"
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="nonsense").code == "InvalidDigest"


def test_one_checksum_is_enough(s3, bucket, refused) -> None:
    refusal = refused(
        s3.put_object,
        Bucket=bucket,
        Key="key",
        Body=b"hello",
        ChecksumCRC32C=CRC32C_OF_HELLO,
        ChecksumSHA1=b64(hashlib.sha1(b"hello").digest()),
    )
    assert refusal.code == "InvalidRequest"
    assert refusal.message.startswith("Expecting a single x-amz-checksum- header")


def test_an_object_without_a_checksum_gets_s3s_own(server, bucket) -> None:
    from botocore.config import Config

    s3 = server.client("s3", config=Config(request_checksum_calculation="when_required"))
    put = s3.put_object(Bucket=bucket, Key="key", Body=b"123456789")
    expected = b64((0xAE8B14860A799888).to_bytes(8, "big"))  # the CRC catalogue's check value of CRC-64/NVME
    assert (put["ChecksumCRC64NVME"], put["ChecksumType"]) == (expected, "FULL_OBJECT")
    told = s3.get_object_attributes(Bucket=bucket, Key="key", ObjectAttributes=["Checksum"])
    assert told["Checksum"] == {"ChecksumCRC64NVME": expected, "ChecksumType": "FULL_OBJECT"}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")
    assert "ChecksumAlgorithm" not in upload
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=b"123456789")
    assert "ChecksumCRC64NVME" not in part
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (expected, "FULL_OBJECT")
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "key"})
    assert copied["CopyObjectResult"]["ChecksumCRC64NVME"] == expected


@pytest.mark.parametrize("algorithm", ["XXHASH64", "XXHASH3", "XXHASH128", "MD5", "SHA512", "CRC32C"])
def test_every_algorithm_is_kept_and_made_of_parts(s3, bucket, algorithm: str) -> None:
    made = digest(algorithm)
    made.update(b"hello")
    member = f"Checksum{algorithm}"
    s3.put_object(Bucket=bucket, Key="key", Body=b"hello", **{member: made.base64()})
    assert s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")[member] == made.base64()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm=algorithm)
    assert upload["ChecksumType"] == "COMPOSITE"
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=b"hello", **{member: made.base64()})
    told = [{"PartNumber": 1, "ETag": part["ETag"]}]
    told[0][member] = made.base64()
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": told})
    assert done[member] == composite(algorithm, [made.base64()])


def signed(
    server, method: str, path: str, body: bytes, headers: dict[str, str], host: str = ""
) -> tuple[int, bytes, dict[str, str]]:
    """A request signed by botocore and sent as it is: for what boto3 would not send."""
    keys = server.keys
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    request = AWSRequest(method, f"http://{host or server.url[7:]}{path}", headers=headers, data=body)
    if "x-amz-trailer" in headers:
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True, skip_host=True)
        connection.putheader("host", host or f"127.0.0.1:{server.port}")
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def trailer_body(data: bytes, checksum: str) -> tuple[bytes, dict[str, str]]:
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, checksum.encode())
    return body, {
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
        "content-length": str(len(body)),
    }


def test_a_checksum_in_a_trailer(server, s3, bucket) -> None:
    """As boto3 sends over https; ``aws-chunked`` is of the transfer and not kept."""
    right = b64(zlib.crc32(b"hello").to_bytes(4, "big"))
    body, headers = trailer_body(b"hello", right)
    status, answer, told = signed(server, "PUT", f"/{bucket}/key", body, headers)
    assert (status, told.get("x-amz-checksum-crc32")) == (200, right), answer
    got = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (b"hello", right)
    assert "ContentEncoding" not in got
    body, headers = trailer_body(b"hellO", right)
    status, answer, _ = signed(server, "PUT", f"/{bucket}/wrong", body, headers)
    assert (status, b"<Code>BadDigest</Code>" in answer) == (400, True)


def test_documents_are_checked_too(server, bucket) -> None:
    body = b"<Tagging><TagSet/></Tagging>"
    headers = {"content-length": str(len(body)), "content-md5": b64(hashlib.md5(b"other").digest())}
    status, answer, _ = signed(server, "PUT", f"/{bucket}?tagging", body, headers)
    assert (status, b"<Code>BadDigest</Code>" in answer) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<Delete>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><Delete/>',
        b"<Delete/>",
        b"<Delete><Object/></Delete>",
    ],
)
def test_malformed_documents(server, bucket, body: bytes) -> None:
    status, answer, _ = signed(server, "POST", f"/{bucket}?delete", body, {"content-length": str(len(body))})
    assert (status, b"<Code>MalformedXML</Code>" in answer) == (400, True), answer


def test_a_body_that_ends_early_leaves_nothing(server, s3, bucket, refused) -> None:
    body, headers = trailer_body(b"hello", "AAAAAA==")
    headers["x-amz-decoded-content-length"] = "6"
    status, answer, _ = signed(server, "PUT", f"/{bucket}/key", body, headers)
    assert (status, b"<Code>IncompleteBody</Code>" in answer) == (400, True)
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


def test_a_bucket_in_the_host_name(server, s3, bucket) -> None:
    host = f"{bucket}.localhost:{server.port}"
    status, answer, _ = signed(server, "PUT", "/key", b"x", {"content-length": "1"}, host)
    assert status == 200, answer
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
