"""What other clients than botocore see: the very bytes and headers of answers."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from spoken import invented, operation, request

from cloche.aws.errors import AwsError
from cloche.aws.http import FileSlice, HttpResponse
from cloche.aws.protocols import StrictError, cbor, serialize_error, serialize_response

AT = datetime(2026, 11, 25, 15, 0, 0, 123_000, tzinfo=UTC)
ID = "11111111-2222-3333-4444-555555555555"


def answer(service: str, name: str, protocol: str, result: dict[str, Any], **more: Any) -> HttpResponse:
    model, op = operation(service, name)
    return serialize_response(model, op, protocol, result, more.pop("asked", request()), ID, **more)


def refused(service: str, name: str, protocol: str, error: AwsError, **more: Any) -> HttpResponse:
    model, op = operation(service, name)
    return serialize_error(model, op, protocol, error, more.pop("asked", request()), ID)


def headers(response: HttpResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers}


def test_json_has_times_as_numbers_and_the_request_id() -> None:
    made = answer(
        "sagemaker", "DescribeModel", "json", {"ModelName": "m", "CreationTime": AT, "ModelArn": "a", "Nope": 1}
    )
    assert made.body == b'{"ModelName":"m","CreationTime":1764082800.123,"ModelArn":"a"}'.replace(
        b"1764082800", str(int(AT.timestamp())).encode()
    )
    assert headers(made) == {"x-amzn-requestid": ID, "content-type": "application/x-amz-json-1.1"}


def test_json_without_an_output_shape_is_empty() -> None:
    assert answer("sagemaker", "DeleteModel", "json", {}).body == b""


@pytest.mark.parametrize(
    ("value", "written"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (1.5, 1.5)]
)
def test_json_writes_special_floats_as_texts(value: float, written: Any) -> None:
    model, op = invented({"Out": {"type": "structure", "members": {"F": {"shape": "F"}}}, "F": {"type": "double"}})
    made = serialize_response(model, op, "json", {"F": value}, request(), ID)
    assert json.loads(made.body) == {"F": written}


def test_a_json_error_says_its_type_twice() -> None:
    made = refused("sagemaker", "DescribeModel", "json", AwsError("ValidationException", 'Could not find "é"'))
    assert made.status == 400
    assert made.body == '{"__type":"ValidationException","message":"Could not find \\"é\\""}'.encode()
    assert headers(made)["x-amzn-errortype"] == "ValidationException"
    assert headers(made)["x-amzn-requestid"] == ID


def test_a_modelled_error_has_its_message_under_the_models_name() -> None:
    made = refused("sagemaker", "DescribeTrainingJob", "json", AwsError("ResourceNotFound", "gone"))
    assert json.loads(made.body) == {"__type": "ResourceNotFound", "Message": "gone"}


def test_a_former_query_service_tells_its_old_code() -> None:
    error = AwsError("ResourceNotFound", "no dashboard")
    made = refused("cloudwatch", "GetDashboard", "json", error, asked=request(x_amzn_query_mode="true"))
    assert headers(made)["x-amzn-query-error"] == "ResourceNotFound;Sender"
    assert json.loads(made.body)["__type"] == "DashboardNotFoundError"
    assert made.status == 404
    assert made.headers.count(("x-amzn-query-error", "ResourceNotFound;Sender")) == 1


def test_cbor_echoes_the_protocol() -> None:
    made = answer("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor", {"NextToken": "t"})
    assert headers(made) == {
        "x-amzn-requestid": ID,
        "smithy-protocol": "rpc-v2-cbor",
        "content-type": "application/cbor",
    }
    assert made.body == b"\xa1\x69NextToken\x61t"
    error = refused("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor", AwsError("InternalServiceFault", "x"))
    assert headers(error)["smithy-protocol"] == "rpc-v2-cbor"
    assert error.status == 500
    assert cbor.loads(bytes(error.body))["__type"].startswith("InternalService")


def test_query_wraps_twice_and_ends_with_the_id() -> None:
    made = answer("sts", "GetCallerIdentity", "query", {"Account": "1", "Arn": "a&b", "UserId": "u"})
    assert made.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        b"<Account>1</Account><Arn>a&amp;b</Arn><UserId>u</UserId></GetCallerIdentityResult><ResponseMetadata>"
        b"<RequestId>" + ID.encode() + b"</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    assert headers(made) == {"x-amzn-requestid": ID, "content-type": "text/xml"}


def test_a_query_error_has_its_status_from_the_model() -> None:
    made = refused("iam", "GetRole", "query", AwsError("NoSuchEntity", "The role with name x cannot be found."))
    assert made.status == 404
    assert b"<Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role" in bytes(made.body)
    assert bytes(made.body).endswith(b"</Error><RequestId>" + ID.encode() + b"</RequestId></ErrorResponse>")


def test_ec2_begins_with_the_id() -> None:
    made = answer("ec2", "DescribeRegions", "ec2", {"Regions": [{"RegionName": "r", "Endpoint": "e"}]})
    assert bytes(made.body).split(b"\n", 1)[1] == (
        b'<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><requestId>'
        + ID.encode()
        + b"</requestId>"
        b"<regionInfo><item><regionName>r</regionName><regionEndpoint>e</regionEndpoint></item></regionInfo>"
        b"</DescribeRegionsResponse>"
    )


def test_s3_lists_under_its_own_root_name_namespace_and_milliseconds() -> None:
    result = {"Name": "b", "Contents": [{"Key": "a\rb\x01<", "LastModified": AT, "Size": 3}], "IsTruncated": False}
    made = answer("s3", "ListObjectsV2", "rest-xml", result)
    assert made.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Contents>'
        b"<Key>a&#xD;b&#x1;&lt;</Key><LastModified>2026-11-25T15:00:00.123Z</LastModified><Size>3</Size></Contents>"
        b"<IsTruncated>false</IsTruncated></ListBucketResult>"
    )
    assert headers(made)["x-amz-request-id"] == ID
    assert headers(made)["x-amz-id-2"]
    assert headers(made)["content-type"] == "application/xml"


def test_s3_location_is_a_bare_element() -> None:
    made = answer("s3", "GetBucketLocation", "rest-xml", {"LocationConstraint": "eu-west-1"})
    assert bytes(made.body).endswith(
        b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>'
    )


def test_s3_grantees_carry_their_type_as_an_attribute() -> None:
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": "me"}, "Permission": "READ"}
    made = answer("s3", "GetBucketAcl", "rest-xml", {"Grants": [grant]})
    assert (
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>me</ID></Grantee>'
        in bytes(made.body)
    )


def test_an_s3_error_is_bare() -> None:
    made = refused("s3", "GetObject", "rest-xml", AwsError("NoSuchKey", "gone", fields={"Key": "a/b"}))
    body = bytes(made.body).decode()
    assert made.status == 404
    assert body.split("\n", 1)[1].startswith("<Error><Code>NoSuchKey</Code><Message>gone</Message><Key>a/b</Key>")
    assert f"<RequestId>{ID}</RequestId><HostId>" in body


@pytest.mark.parametrize(
    ("name", "asked"), [("HeadObject", request("HEAD", "/b/k")), ("DeleteObject", request("DELETE", "/b/k"))]
)
def test_no_body_on_head_and_204(name: str, asked: Any) -> None:
    assert answer("s3", name, "rest-xml", {}, asked=asked).body == b""
    assert refused("s3", "HeadObject", "rest-xml", AwsError("NotFound", "", 404), asked=request("HEAD")).body == b""


def test_a_204_says_nothing_of_a_body() -> None:
    made = answer("s3", "DeleteObject", "rest-xml", {}, asked=request("DELETE", "/b/k"))
    assert made.status == 204
    assert "content-type" not in headers(made)


def test_s3_dates_in_headers_are_http_dates() -> None:
    made = answer("s3", "HeadObject", "rest-xml", {"LastModified": AT, "ETag": '"e"', "Metadata": {"k": "é"}})
    assert headers(made)["last-modified"] == "Wed, 25 Nov 2026 15:00:00 GMT"
    assert headers(made)["x-amz-meta-k"] == "é".encode().decode("latin-1")


@pytest.mark.parametrize("bad", ["a\r\nSet-Cookie: x", "a\nb", "a\x00b", "a\x01b", "a\x7fb"])
def test_a_header_cannot_be_broken_out_of(bad: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        answer("s3", "GetObject", "rest-xml", {"ContentType": bad, "Body": b""})


def test_payloads_pass_through_untouched(tmp_path: Any) -> None:
    part = FileSlice(tmp_path / "x", 3, 4)
    assert answer("s3", "GetObject", "rest-xml", {"Body": part, "ContentType": "a/b"}).body is part
    made = answer("sagemaker-runtime", "InvokeEndpoint", "rest-json", {"Body": b"0.5\n", "ContentType": "text/csv"})
    assert made.body == b"0.5\n"
    assert headers(made) == {"x-amzn-requestid": ID, "content-type": "text/csv"}


def test_a_runtime_error_has_its_fields_and_status() -> None:
    error = AwsError("ModelError", "no", fields={"OriginalStatusCode": 400, "OriginalMessage": "bad"})
    made = refused("sagemaker-runtime", "InvokeEndpoint", "rest-json", error)
    assert made.status == 424
    assert json.loads(made.body) == {
        "__type": "ModelError",
        "OriginalStatusCode": 400,
        "OriginalMessage": "bad",
        "Message": "no",
    }


def test_strict_answers_are_complete_and_declared() -> None:
    with pytest.raises(StrictError, match="undeclared \\['Nope'\\]"):
        answer("sagemaker", "CreateTrainingJob", "json", {"TrainingJobArn": "a", "Nope": 1}, strict=True)
    with pytest.raises(StrictError, match="missing \\['TrainingJobArn'\\]"):
        answer("sagemaker", "CreateTrainingJob", "json", {}, strict=True)
    assert answer("sagemaker", "CreateTrainingJob", "json", {"TrainingJobArn": "a"}, strict=True).status == 200
