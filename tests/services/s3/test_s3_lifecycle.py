"""Lifecycle configurations through boto3; what they do is in tests/unit/objects/test_object_lifecycle.py."""

from __future__ import annotations

import datetime
import re

import pytest

LOGS = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}


def put(s3, bucket: str, *rules: dict) -> dict:
    return s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)})


def test_rules_are_kept_as_they_came(s3, bucket, refused) -> None:
    midnight = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    rules = [
        LOGS,
        {"ID": "date", "Status": "Disabled", "Prefix": "old/", "Expiration": {"Date": midnight}},
        {
            "ID": "whole",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5}},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 9, "NewerNoncurrentVersions": 2},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
            "NoncurrentVersionTransitions": [{"NoncurrentDays": 3, "StorageClass": "GLACIER_IR"}],
        },
        {
            "ID": "abort",
            "Status": "Enabled",
            "Filter": {},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]
    answer = put(s3, bucket, *rules)
    assert answer["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    kept = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert sorted(kept["Rules"], key=lambda rule: rule["ID"]) == sorted(rules, key=lambda rule: rule["ID"])
    s3.delete_bucket_lifecycle(Bucket=bucket)
    gone = refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    assert (gone.code, gone.status) == ("NoSuchLifecycleConfiguration", 404)


def test_a_rule_gets_an_id(s3, bucket) -> None:
    put(s3, bucket, {name: value for name, value in LOGS.items() if name != "ID"})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ID": "x" * 256}, "InvalidArgument"),
        ({"Status": "enabled"}, "MalformedXML"),
        ({"Prefix": "both/"}, "MalformedXML"),
        ({"Filter": {"Prefix": "a", "Tag": {"Key": "k", "Value": "v"}}}, "MalformedXML"),
        ({"Filter": {"And": {"Prefix": "alone"}}}, "MalformedXML"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Date": datetime.datetime(2030, 1, 1, 5, tzinfo=datetime.UTC)}}, "InvalidArgument"),
        ({"Expiration": None}, "InvalidRequest"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}, "InvalidArgument"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}, "InvalidArgument"),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, "InvalidArgument"),
        (
            {
                "Filter": {"Tag": {"Key": "k", "Value": "v"}},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            "InvalidRequest",
        ),
        ({"Expiration": None, "Transitions": [{"Days": 3, "StorageClass": "STANDARD_IA"}]}, "InvalidArgument"),
        ({"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]}, "InvalidArgument"),
        ({"Expiration": None, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}, "NotImplemented"),
        ({"Expiration": None, "Transitions": [{"Days": 30, "StorageClass": "STANDARD"}]}, "MalformedXML"),
    ],
)
def test_wrong_rules(s3, bucket, change: dict, code: str) -> None:
    rule = {name: value for name, value in {**LOGS, **change}.items() if value is not None}
    with pytest.raises(s3.exceptions.ClientError) as caught:
        put(s3, bucket, rule)
    refusal = caught.value.response["Error"]
    assert refusal["Code"] == code, refusal


def test_two_rules_of_one_id(s3, bucket) -> None:
    with pytest.raises(s3.exceptions.ClientError) as caught:
        put(s3, bucket, LOGS, LOGS)
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_objects_and_uploads_tell_of_it(s3, bucket) -> None:
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}
    put(s3, bucket, {**LOGS, "ID": "a rule/1", **abort})
    made = s3.put_object(Bucket=bucket, Key="logs/1", Body=b"x")["Expiration"]
    found = re.fullmatch(r'expiry-date="([^"]+)", rule-id="a%20rule/1"', made)
    assert found is not None, made
    at = datetime.datetime.strptime(found[1], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.UTC)
    wait = at - datetime.datetime.now(datetime.UTC)
    assert (at.hour, at.minute, at.second) == (0, 0, 0)
    assert datetime.timedelta(days=3) - datetime.timedelta(minutes=5) < wait <= datetime.timedelta(days=4)
    assert s3.head_object(Bucket=bucket, Key="logs/1")["Expiration"] == made
    got = s3.get_object(Bucket=bucket, Key="logs/1")
    got["Body"].close()
    assert got["Expiration"] == made
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="logs/parts")
    assert upload["AbortRuleId"] == "a rule/1"
    parts = s3.list_parts(Bucket=bucket, Key="logs/parts", UploadId=upload["UploadId"])
    assert parts["AbortDate"] == upload["AbortDate"]
