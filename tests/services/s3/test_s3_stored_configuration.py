"""Configurations that are kept: as they were put, until they are taken away."""

from __future__ import annotations

from typing import Any

import pytest

EXPORT = {
    "OutputSchemaVersion": "V_1",
    "Destination": {"S3BucketDestination": {"Format": "CSV", "Bucket": "arn:aws:s3:::x"}},
}
KINDS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "inventory",
        "InventoryConfiguration",
        {
            "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::x", "Format": "CSV"}},
            "IsEnabled": True,
            "IncludedObjectVersions": "All",
            "Schedule": {"Frequency": "Daily"},
        },
    ),
    ("analytics", "AnalyticsConfiguration", {"StorageClassAnalysis": {"DataExport": EXPORT}}),
    ("metrics", "MetricsConfiguration", {"Filter": {"Prefix": "documents/"}}),
    (
        "intelligent_tiering",
        "IntelligentTieringConfiguration",
        {"Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]},
    ),
]


@pytest.mark.parametrize(("name", "member", "given"), KINDS, ids=[kind[0] for kind in KINDS])
def test_several_of_a_kind(s3, bucket, refused, name, member, given) -> None:
    put, get = getattr(s3, f"put_bucket_{name}_configuration"), getattr(s3, f"get_bucket_{name}_configuration")
    delete, listed = (
        getattr(s3, f"delete_bucket_{name}_configuration"),
        getattr(s3, f"list_bucket_{name}_configurations"),
    )
    assert refused(get, Bucket=bucket, Id="one").code == "NoSuchConfiguration"
    for identifier in ("two", "one"):
        put(Bucket=bucket, Id=identifier, **{member: {"Id": identifier, **given}})
    assert get(Bucket=bucket, Id="one")[member] == {"Id": "one", **given}
    page = listed(Bucket=bucket)
    assert ([each["Id"] for each in page[f"{member}List"]], page["IsTruncated"]) == (["one", "two"], False)
    delete(Bucket=bucket, Id="one")
    assert refused(delete, Bucket=bucket, Id="one").status == 404
    assert refused(put, Bucket=bucket, Id="x", **{member: {"Id": "y", **given}}).code == "InvalidArgument"


def test_website(s3, bucket, refused) -> None:
    assert refused(s3.get_bucket_website, Bucket=bucket).code == "NoSuchWebsiteConfiguration"
    website = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
    found = s3.get_bucket_website(Bucket=bucket)
    assert {name: found[name] for name in website} == website
    s3.delete_bucket_website(Bucket=bucket)
    assert refused(s3.get_bucket_website, Bucket=bucket).status == 404
    wrong = {"IndexDocument": {"Suffix": "a/b"}}
    assert refused(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=wrong).code == "InvalidArgument"


def test_logging_notification_and_acceleration(s3, bucket, refused) -> None:
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    enabled = {"TargetBucket": bucket, "TargetPrefix": "logs/"}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == enabled
    nowhere = {"LoggingEnabled": {**enabled, "TargetBucket": "no-such-bucket-here"}}
    refusal = refused(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=nowhere)
    assert refusal.code == "InvalidTargetBucketForLogging"
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]}, SkipDestinationValidation=True
    )
    found = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"][0]
    assert {name: found[name] for name in queue} == queue
    assert found["Id"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Enabled"


def test_what_would_promise_work_that_nobody_does(s3, bucket, refused) -> None:
    assert refused(s3.get_bucket_replication, Bucket=bucket).code == "ReplicationConfigurationNotFoundError"
    rule = {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::x"}, "Prefix": ""}
    asked = {"Role": "arn:aws:iam::123456789012:role/r", "Rules": [rule]}
    refusal = refused(s3.put_bucket_replication, Bucket=bucket, ReplicationConfiguration=asked)
    assert (refusal.status, "PutBucketReplication" in refusal.message) == (501, True)
    s3.delete_bucket_replication(Bucket=bucket)
    select = {"Expression": "SELECT * FROM s3object", "ExpressionType": "SQL"}
    formats = {"InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}}
    refusal = refused(s3.select_object_content, Bucket=bucket, Key="k", **select, **formats)
    assert (refusal.status, "SelectObjectContent" in refusal.message) == (501, True)
