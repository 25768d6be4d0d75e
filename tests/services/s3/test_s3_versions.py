"""Versioned buckets through boto3 (docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html)."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def versioned(s3, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def put(s3, bucket: str, body: bytes, key: str = "key") -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def read(s3, bucket: str, **named: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key="key", **named)["Body"].read()


def listed(s3, bucket: str) -> list[tuple[str, bool, bool]]:
    """(version, is a delete marker, is the latest) of ``key``."""
    page = s3.list_object_versions(Bucket=bucket, Prefix="key")
    rows = [(entry, False) for entry in page.get("Versions", [])] + [(e, True) for e in page.get("DeleteMarkers", [])]
    rows.sort(key=lambda row: (not row[0]["IsLatest"], -row[0]["LastModified"].timestamp()))
    return [(entry["VersionId"], marker, entry["IsLatest"]) for entry, marker in rows]


def test_versioning_is_switched_on_and_suspended(s3, bucket, refused) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    wrong = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "enabled"})
    assert (wrong.code, wrong.status) == ("IllegalVersioningConfigurationException", 400)
    mfa = {"Status": "Enabled", "MFADelete": "Enabled"}
    assert refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=mfa).code == "NotImplemented"


def test_every_write_is_a_version(s3, versioned) -> None:
    first, second = put(s3, versioned, b"first"), put(s3, versioned, b"second")
    assert read(s3, versioned) == b"second"
    assert read(s3, versioned, VersionId=first) == b"first"
    assert s3.head_object(Bucket=versioned, Key="key")["VersionId"] == second
    assert s3.head_object(Bucket=versioned, Key="key", VersionId=first)["ContentLength"] == 5
    assert {version for version, _, _ in listed(s3, versioned)} == {first, second}


def test_deleting_puts_a_marker_on_top(s3, versioned, refused) -> None:
    version = put(s3, versioned, b"x")
    deleted = s3.delete_object(Bucket=versioned, Key="key")
    assert deleted["DeleteMarker"] is True
    gone = refused(s3.get_object, Bucket=versioned, Key="key")
    assert (gone.code, gone.headers["x-amz-delete-marker"]) == ("NoSuchKey", "true")
    assert gone.headers["x-amz-version-id"] == deleted["VersionId"]
    head = refused(s3.head_object, Bucket=versioned, Key="key")
    assert (head.status, head.headers["x-amz-delete-marker"]) == (404, "true")
    named = refused(s3.get_object, Bucket=versioned, Key="key", VersionId=deleted["VersionId"])
    assert (named.code, named.status, named.headers["allow"]) == ("MethodNotAllowed", 405, "DELETE")
    assert "last-modified" in named.headers
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert read(s3, versioned, VersionId=version) == b"x"
    undeleted = s3.delete_object(Bucket=versioned, Key="key", VersionId=deleted["VersionId"])
    assert (undeleted["DeleteMarker"], undeleted["VersionId"]) == (True, deleted["VersionId"])
    assert read(s3, versioned) == b"x"


def test_a_version_is_removed_for_good(s3, versioned, refused) -> None:
    first, second = put(s3, versioned, b"first"), put(s3, versioned, b"second")
    assert s3.delete_object(Bucket=versioned, Key="key", VersionId=second)["VersionId"] == second
    assert read(s3, versioned) == b"first"
    gone = refused(s3.get_object, Bucket=versioned, Key="key", VersionId=second)
    assert (gone.code, gone.status) == ("NoSuchVersion", 404)
    assert refused(s3.get_object, Bucket=versioned, Key="key", VersionId="nonsense").code == "InvalidArgument"
    assert refused(s3.delete_bucket, Bucket=versioned).code == "BucketNotEmpty"
    s3.delete_object(Bucket=versioned, Key="key", VersionId=first)
    s3.delete_bucket(Bucket=versioned)


def test_what_was_there_before_is_the_version_null(s3, bucket) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = put(s3, bucket, b"after")
    assert read(s3, bucket, VersionId="null") == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="key", Body=b"suspended")
    assert read(s3, bucket) == b"suspended"
    assert [(v, latest) for v, _, latest in listed(s3, bucket)] == [("null", True), (version, False)]
    assert s3.delete_object(Bucket=bucket, Key="key")["VersionId"] == "null"
    assert [(v, marker) for v, marker, _ in listed(s3, bucket)] == [("null", True), (version, False)]


def test_many_at_once(s3, versioned) -> None:
    versions = [put(s3, versioned, b"x", key) for key in ("a", "b")]
    objects = [{"Key": "a", "VersionId": versions[0]}, {"Key": "b"}, {"Key": "c", "VersionId": "nonsense"}]
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
    by_key = {entry["Key"]: entry for entry in answer["Deleted"]}
    assert by_key["a"] == {"Key": "a", "VersionId": versions[0]}
    assert by_key["b"]["DeleteMarker"] is True
    assert by_key["b"]["DeleteMarkerVersionId"] != versions[1]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("c", "InvalidArgument")]


def test_pages_of_versions(s3, versioned, refused) -> None:
    expected = []
    for key in ("a", "b/1", "b/2", "c"):
        made = [(key, put(s3, versioned, b"x", key)) for _ in range(3)]
        made.append((key, s3.delete_object(Bucket=versioned, Key=key)["VersionId"]))
        expected += made[::-1]
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": 3}):
        rows = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        assert len(rows) <= 3
        found += [(row["Key"], row["VersionId"]) for row in rows]
    assert sorted(found) == sorted(expected)
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["b/"]
    assert {entry["Key"] for entry in page["Versions"]} == {"a", "c"}
    assert refused(s3.list_object_versions, Bucket=versioned, VersionIdMarker="null").code == "InvalidArgument"


def test_tags_and_attributes_are_a_versions_own(s3, versioned) -> None:
    first, second = put(s3, versioned, b"1"), put(s3, versioned, b"22")
    tagging = {"TagSet": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]}
    s3.put_object_tagging(Bucket=versioned, Key="key", VersionId=first, Tagging=tagging)
    assert s3.get_object_tagging(Bucket=versioned, Key="key")["TagSet"] == []
    told = s3.get_object_tagging(Bucket=versioned, Key="key", VersionId=first)
    assert (told["VersionId"], [tag["Key"] for tag in told["TagSet"]]) == (first, ["a", "b"])
    s3.delete_object_tagging(Bucket=versioned, Key="key", VersionId=first)
    assert s3.get_object_tagging(Bucket=versioned, Key="key", VersionId=first)["TagSet"] == []
    attributes = s3.get_object_attributes(Bucket=versioned, Key="key", VersionId=first, ObjectAttributes=["ObjectSize"])
    assert (attributes["VersionId"], attributes["ObjectSize"]) == (first, 1)
    assert s3.get_object_attributes(Bucket=versioned, Key="key", ObjectAttributes=["ETag"])["VersionId"] == second


def test_an_old_version_is_copied_back(s3, versioned, refused) -> None:
    first = put(s3, versioned, b"first")
    put(s3, versioned, b"second")
    source = {"Bucket": versioned, "Key": "key", "VersionId": first}
    copied = s3.copy_object(Bucket=versioned, Key="key", CopySource=source)
    assert copied["CopySourceVersionId"] == first
    assert copied["VersionId"] != first
    assert read(s3, versioned) == b"first"
    marker = s3.delete_object(Bucket=versioned, Key="key")["VersionId"]
    assert refused(s3.copy_object, Bucket=versioned, Key="k", CopySource={**source, "VersionId": marker}).status == 400
    assert refused(s3.copy_object, Bucket=versioned, Key="k", CopySource=f"{versioned}/key").code == "NoSuchKey"


def test_parts_become_a_version(s3, versioned) -> None:
    source = put(s3, versioned, b"source")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="key")
    named = {"Bucket": versioned, "Key": "key", "UploadId": upload["UploadId"]}
    copied = s3.upload_part_copy(
        **named, PartNumber=1, CopySource={"Bucket": versioned, "Key": "key", "VersionId": source}
    )
    assert copied["CopySourceVersionId"] == source
    parts = [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert done["VersionId"] == s3.head_object(Bucket=versioned, Key="key")["VersionId"]
    assert read(s3, versioned) == b"source"


def test_conditions_see_through_markers(s3, versioned, refused) -> None:
    put(s3, versioned, b"x")
    assert refused(s3.put_object, Bucket=versioned, Key="key", Body=b"y", IfNoneMatch="*").status == 412
    s3.delete_object(Bucket=versioned, Key="key")
    assert refused(s3.put_object, Bucket=versioned, Key="key", Body=b"y", IfMatch='"abc"').status == 404
    s3.put_object(Bucket=versioned, Key="key", Body=b"y", IfNoneMatch="*")


def test_versions_survive_a_kill(start_server) -> None:
    server = start_server()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    versions = [put(s3, "kept", b"%d" % number) for number in range(3)]
    marker = s3.delete_object(Bucket="kept", Key="key")["VersionId"]
    server.stop(signal.SIGKILL)
    server.start()
    s3 = server.client("s3")
    assert {version for version, _, _ in listed(s3, "kept")} == {*versions, marker}
    assert [read(s3, "kept", VersionId=version) for version in versions] == [b"0", b"1", b"2"]
