from __future__ import annotations

import datetime

import pytest

from cloche.storage.objects.versions import version_id


@pytest.fixture
def source(s3, bucket) -> dict[str, str]:
    s3.put_object(
        Bucket=bucket,
        Key="source",
        Body=b"content",
        ContentType="text/csv",
        Metadata={"a": "b"},
        Tagging="t=1",
        StorageClass="STANDARD_IA",
    )
    return {"Bucket": bucket, "Key": "source"}


def test_a_copy_takes_what_is_said_along(s3, bucket, source) -> None:
    result = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]
    copy = s3.get_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert copy["Body"].read() == b"content"
    assert (copy["ContentType"], copy["Metadata"], copy["TagCount"]) == ("text/csv", {"a": "b"}, 1)
    assert result["ETag"] == copy["ETag"]
    assert result["ChecksumCRC32"] == copy["ChecksumCRC32"]
    assert "StorageClass" not in copy  # never taken from the source


def test_a_copy_may_say_other_things(s3, bucket, source) -> None:
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"c": "d"},
        ContentType="text/plain",
        TaggingDirective="REPLACE",
        Tagging="u=2",
        ChecksumAlgorithm="SHA256",
    )
    copy = s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert (copy["ContentType"], copy["Metadata"]) == ("text/plain", {"c": "d"})
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "u", "Value": "2"}]
    assert "ChecksumSHA256" in copy and "ChecksumCRC32" not in copy


def test_a_copy_onto_itself_must_change_something(s3, bucket, source, refused) -> None:
    refusal = refused(s3.copy_object, Bucket=bucket, Key="source", CopySource=source)
    assert (refusal.code, refusal.status) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="source", CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "1"})
    got = s3.get_object(Bucket=bucket, Key="source")
    assert (got["Metadata"], got["Body"].read()) == ({"new": "1"}, b"content")


def test_conditions_on_the_source(s3, bucket, source, refused) -> None:
    etag = s3.head_object(**source)["ETag"]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=etag)
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.now(datetime.UTC)
    for condition in (
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfMatch": '"x"'},
        {"CopySourceIfModifiedSince": now + hour},
        {"CopySourceIfUnmodifiedSince": now - hour},
    ):
        refusal = refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source, **condition)
        assert (refusal.code, refusal.status) == ("PreconditionFailed", 412)


def test_sources_that_are_not_there(s3, bucket, refused) -> None:
    for missing, code in (
        ({"Bucket": bucket, "Key": "nothing"}, "NoSuchKey"),
        ({"Bucket": "no-such-bucket", "Key": "x"}, "NoSuchBucket"),
    ):
        assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=missing).code == code
    assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource="nonsense/").code == "InvalidArgument"
    for version, code in (("v", "InvalidArgument"), (version_id(1), "NoSuchVersion")):
        source = f"{bucket}/x?versionId={version}"
        assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source).code == code
