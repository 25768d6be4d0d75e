"""Object lock through boto3 (docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html)."""

from __future__ import annotations

import datetime
import itertools

import pytest

_numbers = itertools.count(1)
FAR = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)
FARTHER = datetime.datetime(2041, 1, 1, tzinfo=datetime.UTC)
DAY = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}


@pytest.fixture
def lockable(s3) -> str:
    name = f"lockable-{next(_numbers)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def version(s3, lockable: str) -> dict[str, str]:
    """A version in a bucket with object lock, as arguments."""
    version = s3.put_object(Bucket=lockable, Key="key", Body=b"x")["VersionId"]
    return {"Bucket": lockable, "Key": "key", "VersionId": version}


def retain(mode: str, until: datetime.datetime = FAR) -> dict[str, object]:
    return {"Retention": {"Mode": mode, "RetainUntilDate": until}}


def test_the_buckets_configuration(s3, lockable, bucket, refused) -> None:
    assert s3.get_bucket_versioning(Bucket=lockable)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=lockable)["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled"
    }
    s3.put_object_lock_configuration(Bucket=lockable, ObjectLockConfiguration=DAY)
    assert s3.get_object_lock_configuration(Bucket=lockable)["ObjectLockConfiguration"] == DAY
    suspend = {"Status": "Suspended"}
    assert refused(s3.put_bucket_versioning, Bucket=lockable, VersioningConfiguration=suspend).status == 409
    missing = refused(s3.get_object_lock_configuration, Bucket=bucket)
    assert (missing.code, missing.status) == ("ObjectLockConfigurationNotFoundError", 404)
    early = refused(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=DAY)
    assert (early.code, early.status) == ("InvalidBucketState", 409)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=DAY)


@pytest.mark.parametrize(
    ("default", "code"),
    [
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"Mode": "other", "Days": 1}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidRetentionPeriod"),
        ({"Mode": "COMPLIANCE", "Years": 101}, "InvalidRetentionPeriod"),
    ],
)
def test_wrong_defaults(s3, lockable, refused, default, code) -> None:
    wrong = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
    assert refused(s3.put_object_lock_configuration, Bucket=lockable, ObjectLockConfiguration=wrong).code == code


def test_a_default_is_for_new_versions(s3, lockable, refused) -> None:
    s3.put_object_lock_configuration(Bucket=lockable, ObjectLockConfiguration=DAY)
    made = s3.put_object(Bucket=lockable, Key="key", Body=b"x")
    head = s3.head_object(Bucket=lockable, Key="key")
    kept_for = head["ObjectLockRetainUntilDate"] - head["LastModified"]
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert abs(kept_for - datetime.timedelta(days=1)) < datetime.timedelta(seconds=2)
    named = {"Bucket": lockable, "Key": "key", "VersionId": made["VersionId"]}
    assert (refused(s3.delete_object, **named).code, refused(s3.delete_object, **named).status) == ("AccessDenied", 403)
    assert s3.delete_object(Bucket=lockable, Key="key")["DeleteMarker"] is True
    s3.delete_object(**named, BypassGovernanceRetention=True)


def test_governance_is_bypassed_by_those_who_say_so(s3, version, refused) -> None:
    s3.put_object_retention(**version, **retain("GOVERNANCE", FARTHER))
    assert s3.get_object_retention(**version)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": FARTHER}
    assert refused(s3.put_object_retention, **version, **retain("GOVERNANCE")).code == "AccessDenied"
    assert refused(s3.put_object_retention, **version, **retain("COMPLIANCE", FARTHER)).code == "AccessDenied"
    s3.put_object_retention(**version, **retain("GOVERNANCE"), BypassGovernanceRetention=True)
    s3.put_object_retention(**version, Retention={}, BypassGovernanceRetention=True)
    assert refused(s3.get_object_retention, **version).code == "NoSuchObjectLockConfiguration"
    s3.delete_object(**version)


def test_compliance_is_only_prolonged(s3, version, refused) -> None:
    s3.put_object_retention(**version, **retain("COMPLIANCE"))
    for loosened in (retain("COMPLIANCE", FAR - datetime.timedelta(days=1)), retain("GOVERNANCE", FARTHER)):
        refusal = refused(s3.put_object_retention, **version, **loosened, BypassGovernanceRetention=True)
        assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    s3.put_object_retention(**version, **retain("COMPLIANCE", FARTHER))
    assert refused(s3.delete_object, **version, BypassGovernanceRetention=True).code == "AccessDenied"
    errors = s3.delete_objects(
        Bucket=version["Bucket"],
        Delete={"Objects": [{"Key": "key", "VersionId": version["VersionId"]}, {"Key": "other"}]},
        BypassGovernanceRetention=True,
    )
    assert [error["Code"] for error in errors["Errors"]] == ["AccessDenied"]
    assert [deleted["Key"] for deleted in errors["Deleted"]] == ["other"]


def test_a_legal_hold_holds_until_it_is_lifted(s3, version, refused) -> None:
    assert refused(s3.get_object_legal_hold, **version).code == "NoSuchObjectLockConfiguration"
    s3.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "ON"}
    assert s3.head_object(**version)["ObjectLockLegalHoldStatus"] == "ON"
    assert refused(s3.delete_object, **version, BypassGovernanceRetention=True).code == "AccessDenied"
    s3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
    s3.delete_object(**version)
    assert refused(s3.put_object_legal_hold, **version, LegalHold={"Status": "ON"}).code == "NoSuchVersion"


def test_a_write_brings_its_own(s3, lockable, bucket, refused) -> None:
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": FAR, "ObjectLockLegalHoldStatus": "ON"}
    s3.put_object(Bucket=lockable, Key="key", Body=b"x", **lock)
    head = s3.head_object(Bucket=lockable, Key="key")
    assert {name: head[name] for name in lock} == lock
    copied = s3.copy_object(Bucket=lockable, Key="copy", CopySource=f"{lockable}/key")
    assert "ObjectLockMode" not in s3.head_object(Bucket=lockable, Key="copy", VersionId=copied["VersionId"])
    upload = s3.create_multipart_upload(Bucket=lockable, Key="parts", **lock)
    named = {"Bucket": lockable, "Key": "parts", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=b"x")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    gone = refused(s3.delete_object, Bucket=lockable, Key="parts", VersionId=done["VersionId"])
    assert gone.code == "AccessDenied"
    put = {"Key": "k", "Body": b"x"}
    assert refused(s3.put_object, Bucket=bucket, **put, **lock).code == "InvalidRequest"
    for wrong in (
        {"ObjectLockMode": "GOVERNANCE"},
        {"ObjectLockRetainUntilDate": FAR},
        {"ObjectLockMode": "other", "ObjectLockRetainUntilDate": FAR},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": FAR.replace(year=2020)},
        {"ObjectLockLegalHoldStatus": "maybe"},
    ):
        assert refused(s3.put_object, Bucket=lockable, **put, **wrong).code == "InvalidArgument"


def test_locks_need_the_buckets_consent(s3, bucket, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    named = {"Bucket": bucket, "Key": "key"}
    assert refused(s3.put_object_retention, **named, **retain("GOVERNANCE")).code == "InvalidRequest"
    assert refused(s3.get_object_retention, **named).code == "InvalidRequest"
    assert refused(s3.put_object_legal_hold, **named, LegalHold={"Status": "ON"}).code == "InvalidRequest"
    assert refused(s3.get_object_legal_hold, **named).code == "InvalidRequest"


def test_wrong_retentions(s3, version, refused) -> None:
    for wrong in ({"Mode": "other", "RetainUntilDate": FAR}, {"Mode": "GOVERNANCE"}, {"RetainUntilDate": FAR}):
        assert refused(s3.put_object_retention, **version, Retention=wrong).code == "MalformedXML"
    past = retain("GOVERNANCE", FAR.replace(year=2020))
    assert refused(s3.put_object_retention, **version, **past).code == "InvalidArgument"
    assert refused(s3.put_object_legal_hold, **version, LegalHold={"Status": "on"}).code == "MalformedXML"
