"""``cloche up --s3-before-2023``: S3 as it was, for suites and clients of that time."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config


@pytest.fixture
def before(start_server: Any) -> Any:
    return start_server("--s3-before-2023")


@pytest.fixture
def s3(before: Any) -> Any:
    return before.client("s3")


def test_new_buckets(s3, bucket, refused) -> None:
    assert refused(s3.get_public_access_block, Bucket=bucket).code == "NoSuchPublicAccessBlockConfiguration"
    assert refused(s3.get_bucket_encryption, Bucket=bucket).code == "ServerSideEncryptionConfigurationNotFoundError"
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", ACL="public-read")
    shown = s3.get_object_acl(Bucket=bucket, Key="key")
    assert shown["Owner"]["DisplayName"] == "home"
    assert [grant["Permission"] for grant in shown["Grants"]] == ["READ", "FULL_CONTROL"], "groups come first"


def test_grants_by_email(s3, bucket, refused) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: UnresolvableGrantByEmailAddress."""
    by_header = refused(s3.put_bucket_acl, Bucket=bucket, GrantRead='emailAddress="nobody@example.com"')
    owner = s3.list_buckets()["Owner"]["ID"]
    grant = {
        "Grantee": {"Type": "AmazonCustomerByEmail", "EmailAddress": "nobody@example.com"},
        "Permission": "READ",
    }
    policy = {"Owner": {"ID": owner}, "Grants": [grant]}
    in_document = refused(s3.put_bucket_acl, Bucket=bucket, AccessControlPolicy=policy)
    for refusal in (by_header, in_document):
        assert (refusal.code, refusal.status) == ("UnresolvableGrantByEmailAddress", 400)


def test_signature_version_2_in_the_header(before, s3, refused) -> None:
    old = before.client("s3", config=Config(signature_version="s3"))
    old.create_bucket(Bucket="signed-in-the-old-way")
    key = "a b/ä+&=?.txt"
    old.put_object(Bucket="signed-in-the-old-way", Key=key, Body=b"x" * 70_000, Metadata={"colour": "green"})
    found = old.get_object(Bucket="signed-in-the-old-way", Key=key, ResponseContentType="text/x-old")
    assert (found["Body"].read(), found["ContentType"]) == (b"x" * 70_000, "text/x-old")
    assert found["Metadata"] == {"colour": "green"}
    assert [each["Key"] for each in old.list_objects_v2(Bucket="signed-in-the-old-way")["Contents"]] == [key]
    assert "signed-in-the-old-way" in [each["Name"] for each in old.list_buckets()["Buckets"]]
    upload = old.create_multipart_upload(Bucket="signed-in-the-old-way", Key="parts")["UploadId"]
    named = {"Bucket": "signed-in-the-old-way", "Key": "parts", "UploadId": upload}
    etag = old.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]
    old.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    deleted = old.delete_objects(Bucket="signed-in-the-old-way", Delete={"Objects": [{"Key": key}, {"Key": "parts"}]})
    assert len(deleted["Deleted"]) == 2
    wrong = before.client("s3", aws_secret_access_key="wrong", config=Config(signature_version="s3"))
    refusal = refused(wrong.list_objects, Bucket="signed-in-the-old-way")
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)
    assert refused(before.client("s3").get_object, Bucket="signed-in-the-old-way", Key=key).code == "NoSuchKey"


def test_policies_tell_the_old_header_apart(before, s3, refused) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html: s3:signatureversion is AWS."""
    s3.create_bucket(Bucket="no-old-header")
    s3.put_bucket_policy(
        Bucket="no-old-header",
        Policy='{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket",'
        ' "Resource": "arn:aws:s3:::no-old-header",'
        ' "Condition": {"StringEquals": {"s3:signatureversion": "AWS", "s3:authType": "REST-HEADER"}}}]}',
    )
    assert "Contents" not in s3.list_objects(Bucket="no-old-header")
    old = before.client("s3", config=Config(signature_version="s3"))
    assert refused(old.list_objects, Bucket="no-old-header").code == "AccessDenied"
    s3.delete_bucket_policy(Bucket="no-old-header")
    assert "Contents" not in old.list_objects(Bucket="no-old-header")


def test_temporary_credentials_in_the_old_header(before, s3) -> None:
    given = before.client("sts").get_session_token()["Credentials"]
    s3.create_bucket(Bucket="temporary-keys")
    temporary = before.client(
        "s3",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(signature_version="s3"),
    )
    temporary.put_object(Bucket="temporary-keys", Key="key", Body=b"x")
    assert s3.get_object(Bucket="temporary-keys", Key="key")["Body"].read() == b"x"
