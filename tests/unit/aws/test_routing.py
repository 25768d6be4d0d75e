"""Service, operation and protocol from the request alone."""

from __future__ import annotations

from typing import Any

import pytest
from spoken import request

from cloche.aws import protocols, routing
from cloche.aws.errors import AwsError

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def found(asked: Any) -> tuple[str, str, str]:
    routed = routing.route(asked)
    return routed.service_name, routed.operation.name, routed.protocol


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            request(x_amz_target="SageMaker.CreateTrainingJob", scope="sagemaker"),
            ("sagemaker", "CreateTrainingJob", "json"),
        ),
        (
            request("POST", "/endpoints/e/invocations", scope="sagemaker"),
            ("sagemaker-runtime", "InvokeEndpoint", "rest-json"),
        ),
        (
            request("POST", "/endpoints/e/async-invocations", scope="sagemaker"),
            ("sagemaker-runtime", "InvokeEndpointAsync", "rest-json"),
        ),
        (
            request("POST", "/endpoints/e/invocations-response-stream", scope="sagemaker"),
            ("sagemaker-runtime", "InvokeEndpointWithResponseStream", "rest-json"),
        ),
        (
            request("PUT", "/FeatureGroup/g", scope="sagemaker"),
            ("sagemaker-featurestore-runtime", "PutRecord", "rest-json"),
        ),
        (
            request("PUT", "/BatchPutMetrics", scope="sagemaker"),
            ("sagemaker-metrics", "BatchPutMetrics", "rest-json"),
        ),
        (request("POST", "/SendHeartbeat", scope="sagemaker"), ("sagemaker-edge", "SendHeartbeat", "rest-json")),
        (
            request("GET", "/human-loops/x", scope="sagemaker"),
            ("sagemaker-a2i-runtime", "DescribeHumanLoop", "rest-json"),
        ),
        (
            request("POST", "/endpoints/e/invocations", host="runtime.sagemaker.us-east-1.amazonaws.com"),
            ("sagemaker-runtime", "InvokeEndpoint", "rest-json"),
        ),
        (
            request(body=b"Action=GetCallerIdentity&Version=2011-06-15", content_type=FORM, scope="sts"),
            ("sts", "GetCallerIdentity", "query"),
        ),
        (
            request(body=b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15", content_type=FORM),
            ("sts", "AssumeRoleWithWebIdentity", "query"),
        ),
        (
            request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", scope="sts"),
            ("sts", "GetCallerIdentity", "query"),
        ),
        (
            request(body=b"Action=ListRoles&Version=2010-05-08", content_type=FORM, scope="iam"),
            ("iam", "ListRoles", "query"),
        ),
        (
            request(x_amz_target="GraniteServiceVersion20100801.ListMetrics", scope="monitoring"),
            ("cloudwatch", "ListMetrics", "json"),
        ),
        (
            request(body=b"Action=ListMetrics&Version=2010-08-01", content_type=FORM, scope="monitoring"),
            ("cloudwatch", "ListMetrics", "query"),
        ),
        (
            request("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", scope="monitoring"),
            ("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor"),
        ),
        (request(x_amz_target="Logs_20140328.GetLogEvents", scope="logs"), ("logs", "GetLogEvents", "json")),
    ],
)
def test_the_services_are_told_apart(asked: Any, expected: tuple[str, str, str]) -> None:
    assert found(asked) == expected


@pytest.mark.parametrize(
    ("method", "target", "headers", "name"),
    [
        ("GET", "/", {}, "ListBuckets"),
        ("PUT", "/b", {}, "CreateBucket"),
        ("HEAD", "/b/", {}, "HeadBucket"),
        ("GET", "/b", {}, "ListObjects"),
        ("GET", "/b?prefix=uploads", {}, "ListObjects"),
        ("GET", "/b?list-type=2&prefix=x", {}, "ListObjectsV2"),
        ("GET", "/b?location", {}, "GetBucketLocation"),
        ("GET", "/b?location=", {}, "GetBucketLocation"),
        ("GET", "/b?uploads", {}, "ListMultipartUploads"),
        ("GET", "/b?versions", {}, "ListObjectVersions"),
        ("GET", "/b?analytics", {}, "ListBucketAnalyticsConfigurations"),
        ("GET", "/b?analytics&id=1", {}, "GetBucketAnalyticsConfiguration"),
        ("GET", "/b?lifecycle", {}, "GetBucketLifecycleConfiguration"),
        ("PUT", "/b?lifecycle", {}, "PutBucketLifecycleConfiguration"),
        ("POST", "/b?delete", {}, "DeleteObjects"),
        ("PUT", "/b/k", {}, "PutObject"),
        ("PUT", "/b/a/../%2e%2e//x?x-id=PutObject", {}, "PutObject"),
        ("PUT", "/b/k", {"x_amz_copy_source": "/b/j"}, "CopyObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {"x_amz_copy_source": "/b/j"}, "UploadPartCopy"),
        ("POST", "/b/k?uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k?uploadId=u", {}, "CompleteMultipartUpload"),
        ("DELETE", "/b/k?uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE", "/b/k?versionId=v", {}, "DeleteObject"),
        ("GET", "/b/k?uploadId=u", {}, "ListParts"),
        ("GET", "/b/k?tagging", {}, "GetObjectTagging"),
        ("GET", "/b/k?response-content-type=x", {}, "GetObject"),
        ("GET", "/b//k", {}, "GetObject"),
        ("GET", "/endpoints/e/invocations", {}, "GetObject"),
        ("POST", "/b/k?select&select-type=2", {}, "SelectObjectContent"),
    ],
)
@pytest.mark.parametrize("scope", ["s3", ""])
def test_s3_operations(method: str, target: str, headers: dict[str, str], name: str, scope: str) -> None:
    assert found(request(method, target, scope=scope, **headers)) == ("s3", name, "rest-xml")


@pytest.mark.parametrize(
    "host",
    [
        "bkt.localhost:4566",
        "bkt.s3.localhost:4566",
        "bkt.s3.eu-west-1.amazonaws.com",
        "bkt.s3-eu-west-1.amazonaws.com",
        "bkt.s3.amazonaws.com",
        "bkt.s3.dualstack.us-east-1.amazonaws.com",
        "BKT.S3.AMAZONAWS.COM",
    ],
)
def test_the_bucket_moves_from_host_to_path(host: str) -> None:
    asked = request("GET", "/a/%2F..?versionId=v", host=host)
    routed = routing.route(asked)
    assert (routed.operation.name, routed.request.path) == ("GetObject", "/bkt/a/%2F..")
    assert asked.path == "/a/%2F.."
    members = protocols.parse_request(routed.service, routed.operation, routed.protocol, routed.request)
    assert members == {"Bucket": "bkt", "Key": "a//..", "VersionId": "v"}
    assert routing.route(request("GET", "/?list-type=2", host=host)).operation.name == "ListObjectsV2"


@pytest.mark.parametrize(
    "host",
    [
        "localhost:4566",
        "127.0.0.1:4566",
        "[::1]:4566",
        "s3.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
        "s3.localhost",
        "",
    ],
)
def test_path_style_stays_as_it_is(host: str) -> None:
    routed = routing.route(request("GET", "/bkt/k", host=host))
    assert (routed.operation.name, routed.request.path) == ("GetObject", "/bkt/k")


def test_dotted_buckets() -> None:
    assert routing.bucket_of_host("my.bkt.x1.s3.us-east-1.amazonaws.com") == "my.bkt.x1"
    assert routing.bucket_of_host("my.bkt.x1.localhost") == "my.bkt.x1"
    assert routing.bucket_of_host("123456789012.s3-control.localhost:4566") == ""


def test_a_presigned_query_has_a_scope_too() -> None:
    query = "X-Amz-Credential=AKID%2F20261125%2Fus-east-1%2Fs3%2Faws4_request"
    assert found(request("PUT", f"/b/k?{query}"))[1] == "PutObject"


@pytest.mark.parametrize(
    ("asked", "code", "status"),
    [
        (request(x_amz_target="SageMaker.Nope", scope="sagemaker"), "UnknownOperationException", 400),
        (request(x_amz_target="Nope.Nope", scope="sagemaker"), "UnknownOperationException", 400),
        (request(x_amz_target="."), "UnknownOperationException", 400),
        (request("GET", "/nope", scope="sagemaker"), "UnknownOperationException", 404),
        (request("POST", "/endpoints//invocations", scope="sagemaker"), "UnknownOperationException", 404),
        (request(body=b"Action=Nope&Version=2011-06-15", content_type=FORM, scope="sts"), "InvalidAction", 400),
        (request("POST", "/service/X/operation/Y"), "UnknownOperationException", 400),
        (request("POST", "/b"), "MethodNotAllowed", 405),
        (request("PATCH", "/b/k", scope="s3"), "MethodNotAllowed", 405),
    ],
)
def test_the_unknown_is_refused_in_a_form_the_client_reads(asked: Any, code: str, status: int) -> None:
    with pytest.raises(AwsError) as refused:
        routing.route(asked)
    assert (refused.value.code, refused.value.status) == (code, status)
    name, protocol = routing.protocol_of(asked)
    assert protocol in protocols.PROTOCOLS
    assert name


def test_an_unknown_target_is_answered_in_json() -> None:
    asked = request(x_amz_target="SageMaker.Nope", scope="sagemaker", content_type="application/x-amz-json-1.1")
    assert routing.protocol_of(asked) == ("sagemaker", "json")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b",
        "Basic x",
        "Credential=////",
    ],
)
def test_a_broken_authorization_has_no_scope(authorization: str) -> None:
    assert routing.signed_service(request(authorization=authorization)) == ""


def test_a_credential_that_is_no_utf8_names_no_service() -> None:
    asked = request("GET", "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%BF20261125%2Fs3&X-Amz-Date=x")
    assert found(asked) == ("s3", "GetObject", "rest-xml")


def test_buckets_of_outposts_are_s3controls() -> None:
    asked = request("GET", "/v20180820/bucket?maxResults=5", scope="s3-outposts", x_amz_account_id="123456789012")
    assert found(asked) == ("s3control", "ListRegionalBuckets", "rest-xml")


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("bedrock-agent-runtime.us-east-1.amazonaws.com", "bedrock-agent-runtime"),
        ("bedrock-agent.us-east-1.amazonaws.com", "bedrock-agent"),
    ],
)
def test_services_of_one_scope_and_one_path_are_told_apart_by_their_host(host: str, service: str) -> None:
    assert found(request("GET", "/tags/arn", scope="bedrock", host=host)) == (
        service,
        "ListTagsForResource",
        "rest-json",
    )
