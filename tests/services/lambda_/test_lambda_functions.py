"""Functions as they are kept: create, describe, update, publish, aliases, policies, layers, delete."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_requests import ROLE, ask, make_function, make_role, zipped

Client = Callable[..., Any]
ECHO = "def lambda_handler(event, context):\n    return event\n"
NUMBER = "def lambda_handler(event, context):\n    return {}\n"


def test_a_function_is_described_as_it_was_created(client: Client) -> None:
    made = make_function(
        client,
        "described",
        ECHO,
        Description="what it does",
        Timeout=7,
        MemorySize=256,
        Environment={"Variables": {"COLOUR": "green"}},
        Tags={"team": "a"},
    )
    package = zipped(ECHO)
    assert made["State"] == "Pending" and made["StateReasonCode"] == "Creating"
    assert made["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:described"
    told = client("lambda").get_function(FunctionName="described")
    configuration = told["Configuration"]
    assert configuration["State"] == "Active" and configuration["LastUpdateStatus"] == "Successful"
    assert configuration["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()
    assert configuration["CodeSize"] == len(package)
    wanted = {"Description": "what it does", "Timeout": 7, "MemorySize": 256, "Version": "$LATEST", "Role": ROLE}
    assert configuration.items() >= wanted.items()
    assert configuration["Environment"] == {"Variables": {"COLOUR": "green"}}
    assert told["Tags"] == {"team": "a"}
    with urllib.request.urlopen(told["Code"]["Location"]) as answer:
        assert answer.read() == package
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(told["Code"]["Location"][:-1])
    assert client("lambda").get_function_configuration(FunctionName=made["FunctionArn"])["Timeout"] == 7


def test_names_are_taken_once_and_missing_ones_are_told(client: Client) -> None:
    make_function(client, "taken", ECHO)
    functions = client("lambda")
    with pytest.raises(ClientError, match=r"ResourceConflictException.*Function already exist: taken"):
        make_function(client, "taken", ECHO)
    for ask_for in (functions.get_function, functions.delete_function, functions.invoke, functions.get_policy):
        with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Function not found: arn:aws:lambda"):
            ask_for(FunctionName="nobody")


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"Runtime": "nodejs22.x"}, "InvalidParameterValueException", "nodejs22.x"),
        ({"PackageType": "Image", "Code": {"ImageUri": "x"}}, "InvalidParameterValueException", "PackageType Image"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}}, "InvalidParameterValue", "must coexist"),
        ({"VpcConfig": {"SubnetIds": ["sg-1"], "SecurityGroupIds": ["sg-1"]}}, "ValidationException", "subnet-"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException", "SnapStart"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file"),
        ({"Code": {"ZipFile": b""}}, "InvalidParameterValueException", "non-empty zip"),
        ({"Code": {"S3Bucket": "no-such-bucket-here", "S3Key": "k"}}, "InvalidParameterValue", "NoSuchBucket"),
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "InvalidParameterValue", "cannot be assumed by Lambda"),
        ({"Role": "arn:aws:iam::210987654321:role/theirs"}, "AccessDeniedException", "Cross-account pass role"),
        ({"Timeout": 901}, "InvalidParameterValueException", "less than or equal to 900"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValue", "reserved keys"),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValue", "exceeded the 4KB limit"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:none:1"]}, "InvalidParameterValue", "does not exist"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:123456789012:t.fifo"}}, "InvalidParameter", "FIFO"),
        ({"Handler": "a b"}, "ValidationException", "handler"),
    ],
)
def test_what_cannot_be_is_refused(client: Client, members: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ClientError, match=words) as refused:
        make_function(client, "refused", ECHO, **members)
    assert refused.value.response["Error"]["Code"].startswith(code)


def test_vpc_settings_are_kept_until_they_are_emptied(client: Client) -> None:
    wanted = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    made = make_function(client, "in-a-vpc", ECHO, VpcConfig=wanted)
    assert made["VpcConfig"] == {**wanted, "Ipv6AllowedForDualStack": False}
    functions = client("lambda")
    functions.update_function_configuration(FunctionName="in-a-vpc", Timeout=7)
    assert functions.get_function_configuration(FunctionName="in-a-vpc")["VpcConfig"]["SubnetIds"] == ["subnet-1"]
    none = {"SubnetIds": [], "SecurityGroupIds": []}
    functions.update_function_configuration(FunctionName="in-a-vpc", VpcConfig=none)
    assert "VpcConfig" not in functions.get_function_configuration(FunctionName="in-a-vpc")


def test_operations_that_are_not_offered_say_why(client: Client) -> None:
    with pytest.raises(ClientError, match="functions have no URLs of their own"):
        client("lambda").create_function_url_config(FunctionName="f", AuthType="NONE")


def test_code_from_s3_and_updates(client: Client) -> None:
    s3, functions = client("s3"), client("lambda")
    s3.create_bucket(Bucket="lambda-code-bucket")
    s3.put_object(Bucket="lambda-code-bucket", Key="code.zip", Body=zipped(NUMBER.format(1)))
    make_function(client, "from-s3", "", Code={"S3Bucket": "lambda-code-bucket", "S3Key": "code.zip"})
    assert ask(client, "from-s3")[1] == 1
    before = functions.get_function_configuration(FunctionName="from-s3")
    updated = functions.update_function_code(FunctionName="from-s3", ZipFile=zipped(NUMBER.format(2)))
    functions.get_waiter("function_updated_v2").wait(FunctionName="from-s3")
    assert updated["CodeSha256"] != before["CodeSha256"] and updated["RevisionId"] != before["RevisionId"]
    assert ask(client, "from-s3")[1] == 2
    with pytest.raises(functions.exceptions.PreconditionFailedException):
        functions.update_function_configuration(FunctionName="from-s3", RevisionId=before["RevisionId"], Timeout=9)
    dry = functions.update_function_code(FunctionName="from-s3", ZipFile=zipped(NUMBER.format(3)), DryRun=True)
    assert dry["CodeSha256"] != updated["CodeSha256"]
    assert ask(client, "from-s3")[1] == 2
    changed = functions.update_function_configuration(
        FunctionName="from-s3", Environment={"Variables": {"AB": "c"}}, Timeout=9
    )
    assert (changed["Timeout"], changed["Environment"]["Variables"]) == (9, {"AB": "c"})
    assert functions.get_function_configuration(FunctionName="from-s3")["Handler"] == "lambda_function.lambda_handler"


def test_a_package_may_have_fifty_mebibytes(client: Client) -> None:
    filler = {"lambda_function.py": ECHO, "filler": os.urandom(20 * 1024 * 1024).hex()}
    make_function(client, "large", filler)
    assert ask(client, "large", 1)[1] == 1
    with pytest.raises(ClientError, match="RequestEntityTooLarge"):
        make_function(client, "too-large", {"filler": "x" * (53 * 1024 * 1024)})


def test_versions_keep_their_code_and_aliases_point_to_them(client: Client) -> None:
    functions = client("lambda")
    make_function(client, "versioned", NUMBER.format(1))
    first = functions.publish_version(FunctionName="versioned", Description="one")
    assert (first["Version"], first["Description"]) == ("1", "one")
    assert functions.publish_version(FunctionName="versioned")["Version"] == "1"  # nothing has changed
    functions.update_function_code(FunctionName="versioned", ZipFile=zipped(NUMBER.format(2)))
    assert functions.publish_version(FunctionName="versioned")["Version"] == "2"
    assert [ask(client, "versioned", Qualifier=q)[1] for q in ("1", "2", "$LATEST")] == [1, 2, 2]
    listed = functions.list_versions_by_function(FunctionName="versioned")["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2"]

    alias = functions.create_alias(FunctionName="versioned", Name="live", FunctionVersion="1")
    assert alias["AliasArn"].endswith(":function:versioned:live")
    assert ask(client, alias["AliasArn"])[1] == 1
    with pytest.raises(functions.exceptions.ResourceConflictException, match="aliases"):
        functions.delete_function(FunctionName="versioned", Qualifier="1")
    functions.update_alias(
        FunctionName="versioned", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    answers = [ask(client, "versioned", Qualifier="live") for _ in range(40)]
    assert {payload for _, payload in answers} == {1, 2}
    assert all(answer["ExecutedVersion"] == str(payload) for answer, payload in answers)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.create_alias(FunctionName="versioned", Name="other", FunctionVersion="9")
    with pytest.raises(functions.exceptions.ResourceConflictException, match="Alias already exists"):
        functions.create_alias(FunctionName="versioned", Name="live", FunctionVersion="2")
    functions.update_alias(FunctionName="versioned", Name="live", FunctionVersion="2", RoutingConfig={})
    assert functions.get_alias(FunctionName="versioned", Name="live")["FunctionVersion"] == "2"
    functions.delete_function(FunctionName="versioned", Qualifier="1")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="versioned", Qualifier="1")
    functions.delete_function(FunctionName="versioned")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_alias(FunctionName="versioned", Name="live")


def test_lists_go_on_where_a_page_ended(client: Client) -> None:
    functions = client("lambda")
    for number in range(3):
        make_function(client, f"listed-{number}", ECHO)
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    assert names == sorted(names) and {"listed-0", "listed-1", "listed-2"} <= set(names)
    with pytest.raises(ClientError):
        functions.list_functions(Marker="AAAA")


def test_layers_are_seen_below_opt(client: Client) -> None:
    functions = client("lambda")
    code = "import shared\ndef lambda_handler(event, context):\n    return [shared.VALUE, open('/opt/note').read()]\n"
    first = functions.publish_layer_version(
        LayerName="shared",
        Content={"ZipFile": zipped({"python/shared.py": "VALUE = 1\n", "note": "one"})},
        CompatibleRuntimes=["python3.12"],
    )
    second = functions.publish_layer_version(LayerName="over", Content={"ZipFile": zipped({"note": "two"})})
    assert (first["Version"], first["LayerVersionArn"].endswith(":layer:shared:1")) == (1, True)
    make_function(client, "layered", code, Layers=[first["LayerVersionArn"], second["LayerVersionArn"]])
    assert ask(client, "layered")[1] == [1, "two"]
    functions.delete_layer_version(LayerName="shared", VersionNumber=1)
    again = functions.publish_layer_version(
        LayerName="shared", Content={"ZipFile": zipped({"python/shared.py": "VALUE = 2\n"})}
    )
    assert again["Version"] == 2
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_layer_version(LayerName="shared", VersionNumber=1)
    listed = functions.list_layers()["Layers"]
    assert {
        each["LayerName"]: each["LatestMatchingVersion"]["Version"]
        for each in listed
        if each["LayerName"] in ("shared", "over")
    } == {"shared": 2, "over": 1}
    functions.add_layer_version_permission(
        LayerName="over", VersionNumber=1, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
    )
    policy = json.loads(functions.get_layer_version_policy(LayerName="over", VersionNumber=1)["Policy"])
    assert policy["Statement"][0]["Principal"] == "*"
    assert ask(client, "layered")[1] == [1, "two"]


def test_permissions_are_a_policy(client: Client) -> None:
    functions = client("lambda")
    make_function(client, "shared-out", ECHO)
    given = {
        "FunctionName": "shared-out",
        "StatementId": "events",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": "arn:aws:events:us-east-1:123456789012:rule/r",
    }
    functions.add_permission(**given)
    with pytest.raises(functions.exceptions.ResourceConflictException, match="already exists"):
        functions.add_permission(**given)
    told = functions.get_policy(FunctionName="shared-out")
    (statement,) = json.loads(told["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": given["SourceArn"]}}
    with pytest.raises(functions.exceptions.PreconditionFailedException):
        functions.remove_permission(FunctionName="shared-out", StatementId="events", RevisionId="other")
    functions.remove_permission(FunctionName="shared-out", StatementId="events", RevisionId=told["RevisionId"])
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_policy(FunctionName="shared-out")


def test_tags_and_reservations(client: Client) -> None:
    functions = client("lambda")
    arn = make_function(client, "tagged", ECHO)["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    found = client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "b", "Values": ["2"]}])
    assert arn in [each["ResourceARN"] for each in found["ResourceTagMappingList"]]
    functions.put_function_concurrency(FunctionName="tagged", ReservedConcurrentExecutions=0)
    assert functions.get_function_concurrency(FunctionName="tagged")["ReservedConcurrentExecutions"] == 0
    with pytest.raises(ClientError, match="TooManyRequestsException") as throttled:
        client("lambda", config=_once()).invoke(FunctionName="tagged")
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    functions.delete_function_concurrency(FunctionName="tagged")
    assert ask(client, "tagged", 5)[1] == 5
    limit = functions.get_account_settings()["AccountLimit"]
    with pytest.raises(ClientError, match="below its minimum value"):
        functions.put_function_concurrency(
            FunctionName="tagged", ReservedConcurrentExecutions=limit["ConcurrentExecutions"]
        )


def _once() -> Any:
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1})


def test_another_region_has_functions_of_its_own(client: Client) -> None:
    make_role(client("iam"))
    make_function(client, "here-only", ECHO)
    with pytest.raises(ClientError, match="Function not found"):
        client("lambda", region_name="eu-west-1").invoke(FunctionName="here-only")
