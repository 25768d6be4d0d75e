"""SSE-C, SSE-S3 and SSE-KMS through boto3: who is let at the bytes, what is told, and what is kept."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

KEY, OTHER = os.urandom(32), os.urandom(32)


def under(key: bytes, start: str = "SSECustomer") -> dict[str, str]:
    """The arguments that bring ``key``, MD5 and all."""
    return {
        f"{start}Algorithm": "AES256",
        f"{start}Key": base64.b64encode(key).decode(),
        f"{start}KeyMD5": md5(key),
    }


def md5(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key).digest()).decode()


@pytest.fixture
def sealed(s3, bucket: str) -> dict[str, str]:
    """An object under KEY."""
    put = s3.put_object(Bucket=bucket, Key="sealed", Body=b"secret", **under(KEY))
    assert (put["SSECustomerAlgorithm"], put["SSECustomerKeyMD5"]) == ("AES256", md5(KEY))
    assert "ServerSideEncryption" not in put
    return {"Bucket": bucket, "Key": "sealed"}


def test_only_the_key_opens_it(s3, sealed, refused) -> None:
    got = s3.get_object(**sealed, **under(KEY))
    assert (got["Body"].read(), got["SSECustomerKeyMD5"]) == (b"secret", md5(KEY))
    assert s3.head_object(**sealed, **under(KEY))["ContentLength"] == 6
    missing = refused(s3.get_object, **sealed)
    assert (missing.code, missing.status) == ("InvalidRequest", 400)
    wrong = refused(s3.get_object, **sealed, **under(OTHER))
    assert (wrong.code, wrong.status) == ("AccessDenied", 403)
    assert refused(s3.head_object, **sealed).status == 400
    attributes = {"ObjectAttributes": ["ObjectSize"]}
    assert refused(s3.get_object_attributes, **sealed, **attributes).code == "InvalidRequest"
    assert s3.get_object_attributes(**sealed, **attributes, **under(KEY))["ObjectSize"] == 6
    s3.put_object(Bucket=sealed["Bucket"], Key="plain", Body=b"x")
    assert refused(s3.get_object, Bucket=sealed["Bucket"], Key="plain", **under(KEY)).code == "InvalidRequest"


def test_the_key_is_kept_nowhere(start_server) -> None:
    server = start_server()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="sealed")
    s3.put_object(Bucket="sealed", Key="key", Body=b"x", **under(KEY))
    assert s3.get_object(Bucket="sealed", Key="key", **under(KEY))["Body"].read() == b"x"
    upload = s3.create_multipart_upload(Bucket="sealed", Key="parts", **under(KEY))["UploadId"]
    s3.upload_part(Bucket="sealed", Key="parts", UploadId=upload, PartNumber=1, Body=b"x", **under(KEY))
    server.stop()
    forms = (KEY, base64.b64encode(KEY), KEY.hex().encode())
    for path in [*server.data.rglob("*"), server.data.parent / f"{server.data.name}.log"]:
        if path.is_file():
            content = path.read_bytes()
            assert not any(form in content for form in forms), path


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SSECustomerAlgorithm": None}, "InvalidArgument"),
        ({"SSECustomerAlgorithm": "DES"}, "InvalidEncryptionAlgorithmError"),
        ({"SSECustomerKey": None}, "InvalidArgument"),
        ({"SSECustomerKeyMD5": None}, "InvalidArgument"),
        ({"SSECustomerKeyMD5": md5(OTHER)}, "InvalidArgument"),
        ({"SSECustomerKey": base64.b64encode(b"short").decode()}, "InvalidArgument"),
        ({"SSECustomerKey": "not base64 at all"}, "InvalidArgument"),
        ({"ServerSideEncryption": "AES256"}, "InvalidArgument"),
    ],
)
def test_a_key_comes_whole(server, bucket, refused, change: dict[str, str | None], code: str) -> None:
    s3 = server.client("s3")
    names = {
        "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
        "SSECustomerKey": "x-amz-server-side-encryption-customer-key",
        "SSECustomerKeyMD5": "x-amz-server-side-encryption-customer-key-MD5",
        "ServerSideEncryption": "x-amz-server-side-encryption",
    }
    given = {names[name]: value for name, value in {**under(KEY), **change}.items() if value is not None}

    def send(params, **_):  # boto3 would put right what is wrong here
        params["headers"].update(given)

    s3.meta.events.register("before-call.s3.PutObject", send)
    refusal = refused(s3.put_object, Bucket=bucket, Key="key", Body=b"x")
    assert (refusal.code, refusal.status) == (code, 400)
    assert base64.b64encode(KEY).decode() not in refusal.message
    assert base64.b64encode(KEY).decode() not in str(refusal.fields)
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


def test_copies_into_and_out_of_a_key(s3, sealed, refused) -> None:
    source = f"{sealed['Bucket']}/sealed"
    reads = under(KEY, "CopySourceSSECustomer")
    to = {"Bucket": sealed["Bucket"], "Key": "copy", "CopySource": source}
    assert refused(s3.copy_object, **to).code == "InvalidRequest"
    assert refused(s3.copy_object, **to, **under(OTHER, "CopySourceSSECustomer")).code == "AccessDenied"
    s3.copy_object(**to, **reads)
    assert s3.get_object(Bucket=sealed["Bucket"], Key="copy")["Body"].read() == b"secret"
    s3.copy_object(**to, **reads, **under(OTHER))
    assert s3.get_object(Bucket=sealed["Bucket"], Key="copy", **under(OTHER))["Body"].read() == b"secret"
    turned = {**to, "Key": "sealed"}
    s3.copy_object(**turned, **reads, **under(OTHER))
    assert refused(s3.get_object, **sealed, **under(KEY)).code == "AccessDenied"


def test_every_part_brings_the_key(s3, bucket, refused) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **under(KEY))
    assert upload["SSECustomerKeyMD5"] == md5(KEY)
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload["UploadId"]}
    part = {"PartNumber": 1, "Body": b"part"}
    assert refused(s3.upload_part, **named, **part).code == "InvalidRequest"
    assert refused(s3.upload_part, **named, **part, **under(OTHER)).code == "InvalidRequest"
    etag = s3.upload_part(**named, **part, **under(KEY))["ETag"]
    whole = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    assert refused(s3.complete_multipart_upload, **named, **whole).code == "InvalidRequest"
    done = s3.complete_multipart_upload(**named, **whole, **under(KEY))["ResponseMetadata"]["HTTPHeaders"]
    assert done["x-amz-server-side-encryption-customer-key-md5"] == md5(KEY)
    assert s3.get_object(Bucket=bucket, Key="parts", **under(KEY))["Body"].read() == b"part"
    plain = s3.create_multipart_upload(Bucket=bucket, Key="plain")["UploadId"]
    refusal = refused(s3.upload_part, Bucket=bucket, Key="plain", UploadId=plain, **part, **under(KEY))
    assert refusal.code == "InvalidRequest"


def test_a_bucket_can_block_customers_keys(s3, bucket, refused) -> None:
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    refusal = refused(s3.put_object, Bucket=bucket, Key="key", Body=b"x", **under(KEY))
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")


def test_kms_is_told_as_it_was_asked(s3, bucket, refused) -> None:
    arn = "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888"
    context = base64.b64encode(b'{"a":"b"}').decode()
    asked = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn, "BucketKeyEnabled": True}
    put = s3.put_object(Bucket=bucket, Key="key", Body=b"x", **asked, SSEKMSEncryptionContext=context)
    assert {name: put[name] for name in asked} == asked
    assert put["SSEKMSEncryptionContext"] == context
    head = s3.head_object(Bucket=bucket, Key="key")
    assert {name: head[name] for name in asked} == asked
    assert "SSEKMSEncryptionContext" not in head
    mixed = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256", SSEKMSKeyId=arn)
    assert mixed.code == "InvalidArgument"
