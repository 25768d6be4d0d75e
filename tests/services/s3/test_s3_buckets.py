from __future__ import annotations

import pytest
from botocore.config import Config


def test_a_bucket_is_made_found_listed_deleted(s3, refused) -> None:
    assert s3.create_bucket(Bucket="bucket-story")["Location"] == "/bucket-story"
    assert s3.head_bucket(Bucket="bucket-story")["BucketRegion"] == "us-east-1"
    assert "bucket-story" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket="bucket-story")["LocationConstraint"] is None
    s3.create_bucket(Bucket="bucket-story")  # once more: 200 in us-east-1
    s3.delete_bucket(Bucket="bucket-story")
    assert refused(s3.delete_bucket, Bucket="bucket-story").code == "NoSuchBucket"
    missing = refused(s3.head_bucket, Bucket="bucket-story")
    assert (missing.status, missing.message) == (404, "Not Found")


def test_a_bucket_elsewhere(server, s3, refused) -> None:
    there = server.client("s3", region_name="eu-west-1")
    constraint = {"LocationConstraint": "eu-west-1"}
    there.create_bucket(Bucket="bucket-in-ireland", CreateBucketConfiguration=constraint)
    assert s3.get_bucket_location(Bucket="bucket-in-ireland")["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket="bucket-in-ireland")["BucketRegion"] == "eu-west-1"
    again = refused(there.create_bucket, Bucket="bucket-in-ireland", CreateBucketConfiguration=constraint)
    assert (again.code, again.status) == ("BucketAlreadyOwnedByYou", 409)
    unspecified = refused(there.create_bucket, Bucket="bucket-nowhere")
    assert unspecified.code == "IllegalLocationConstraintException"
    other = refused(
        there.create_bucket,
        Bucket="bucket-nowhere",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    assert other.code == "IllegalLocationConstraintException"


@pytest.mark.parametrize(
    "name", ["ab", "Upper", "a..b", "192.168.1.1", "-start", "end-", "a_b", "xn--a", "a" * 64, "x-s3alias"]
)
def test_bad_names(server, refused, name: str) -> None:
    lenient = server.client("s3", config=Config(s3={"addressing_style": "path"}))
    lenient.meta.events.unregister("before-parameter-build.s3", _validator(lenient))
    refusal = refused(lenient.create_bucket, Bucket=name)
    assert (refusal.code, refusal.status) == ("InvalidBucketName", 400)


def _validator(client):
    from botocore.handlers import validate_bucket_name

    return validate_bucket_name


def test_a_full_bucket_stays(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    refusal = refused(s3.delete_bucket, Bucket=bucket)
    assert (refusal.code, refusal.status) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="key")
    s3.delete_bucket(Bucket=bucket)


def test_buckets_are_listed_in_pages(s3) -> None:
    for number in range(5):
        s3.create_bucket(Bucket=f"paged-{number}")
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
    found = [[bucket["Name"] for bucket in page["Buckets"]] for page in pages]
    assert found == [["paged-0", "paged-1"], ["paged-2", "paged-3"], ["paged-4"]]


def test_the_owner_is_checked(s3, bucket, refused) -> None:
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="123456789012")
    assert refused(s3.head_bucket, Bucket=bucket, ExpectedBucketOwner="999999999999").status == 403
    refusal = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"", ExpectedBucketOwner="999999999999")
    assert refusal.code == "AccessDenied"


def test_what_is_set_on_a_bucket(s3, bucket, refused) -> None:
    assert refused(s3.get_bucket_tagging, Bucket=bucket).code == "NoSuchTagSet"
    tags = [{"Key": "team", "Value": "é ü"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "my-key"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [kms]})
    put = s3.put_object(Bucket=bucket, Key="key", Body=b"")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", "my-key")
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    s3.delete_public_access_block(Bucket=bucket)
    assert refused(s3.get_public_access_block, Bucket=bucket).code == "NoSuchPublicAccessBlockConfiguration"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    acl = s3.get_bucket_acl(Bucket=bucket)
    assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in acl["Grants"]] == [
        (acl["Owner"]["ID"], "FULL_CONTROL")
    ]


def test_what_cloche_does_not_do_is_refused_by_name(s3, bucket, refused) -> None:
    refusal = refused(s3.create_session, Bucket=bucket)
    assert (refusal.code, refusal.status) == ("NotImplemented", 501)
    assert "CreateSession" in refusal.message


def test_the_words_are_s3s(s3, bucket, refused) -> None:
    """As recorded of S3: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json"""
    lock = {"ObjectLockEnabled": "Enabled"}
    refusal = refused(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=lock)
    assert (refusal.code, refusal.status) == ("InvalidBucketState", 409)
    assert refusal.message == "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    refusal = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert (refusal.code, refusal.status) == ("InvalidBucketState", 409)
    assert refusal.message.startswith("An Object Lock configuration is present on this bucket")
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    refusal = refused(s3.delete_bucket, Bucket=bucket)
    assert refusal.message == (
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    )
    refusal = refused(s3.create_bucket, Bucket="never-made", ObjectOwnership="RandomValue")
    assert refusal.message == "Invalid x-amz-object-ownership header: RandomValue"
    default = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "key"}
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    refusal = refused(s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
    assert (refusal.code, refusal.fields["ArgumentName"]) == ("InvalidArgument", "ApplyServerSideEncryptionByDefault")
    for put, more, words in (
        (s3.put_object_tagging, {"Key": "key"}, "Your TagKey cannot be prefixed with aws:"),
        (s3.put_bucket_tagging, {}, "System tags cannot be added/updated by requester"),
    ):
        refusal = refused(put, Bucket=bucket, Tagging={"TagSet": [{"Key": "aws:a", "Value": ""}]}, **more)
        assert (refusal.code, refusal.message) == ("InvalidTag", words)
    named = {
        "Bucket": bucket,
        "Key": "parts",
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"],
    }
    copy = {**named, "PartNumber": 1, "CopySource": f"{bucket}/key"}
    for span, code in (("bytes=0-100", "InvalidArgument"), ("bytes=100-200", "InvalidRequest")):
        assert refused(s3.upload_part_copy, **copy, CopySourceRange=span).code == code
    assert refused(s3.complete_multipart_upload, **named).code == "MalformedXML"
    s3.upload_part(**named, PartNumber=1, Body=b"part")
    refusal = refused(s3.complete_multipart_upload, **named)
    assert (refusal.code, refusal.message) == ("InvalidRequest", "You must specify at least one part")
    refusal = refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource="wrongformat")
    assert (refusal.code, refusal.message) == ("InvalidArgument", "Invalid copy source object key")


@pytest.mark.parametrize(
    ("bucket", "told"),
    [
        ("jumpstart-cache-prod-us-east-1", "of JumpStart and its models, which Cloche does not have yet"),
        ("sagemaker-example-files-prod-eu-west-1", "make one of that name in Cloche, and put there what you read"),
    ],
    ids=["jumpstart", "samples"],
)
def test_a_bucket_that_is_awss_own_is_refused_by_name(s3, refused, bucket: str, told: str) -> None:
    """What SDKs and notebooks read unasked: they show the message alone."""
    error = refused(s3.get_object, Bucket=bucket, Key="models_manifest.json")
    assert (error.code, error.fields["BucketName"]) == ("NoSuchBucket", bucket)
    assert error.message.startswith("The specified bucket does not exist (") and told in error.message
    s3.create_bucket(Bucket=bucket)
    assert refused(s3.get_object, Bucket=bucket, Key="models_manifest.json").code == "NoSuchKey"
    s3.delete_bucket(Bucket=bucket)
