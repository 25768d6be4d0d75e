"""Several accounts in one Cloche: credentials belong to one, and so does all that is made with them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

HOME, OTHER, THIRD = "123456789012", "222222222222", "333333333333"


def code_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return str(found.value.response["Error"]["Code"])


def cloche(server: Any, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloche.cli.main", *words, "--data", str(server.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def keys_of(server: Any, account: str) -> dict[str, str]:
    said = json.loads((server.data / "keys" / f"root-{account}.json").read_text())
    return {"aws_access_key_id": said["AccessKeyId"], "aws_secret_access_key": said["SecretAccessKey"]}


@pytest.fixture(scope="module")
def two(server: Any) -> Any:
    """The session's server with a second account."""
    assert cloche(server, "accounts", "add", OTHER, "--name", "other").returncode == 0
    return server


def trusting(principal: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_accounts_are_added_and_listed(two: Any) -> None:
    listed = cloche(two, "accounts", "list").stdout.splitlines()
    assert [line.split("\t")[:3] for line in listed if line[:12] in (HOME, OTHER)] == [
        [HOME, "home", "yes"],
        [OTHER, "other", ""],
    ]
    file = two.data / "keys" / f"root-{OTHER}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    again = cloche(two, "accounts", "add", OTHER)
    assert again.returncode == 1 and "already" in again.stderr
    assert "twelve digits" in cloche(two, "accounts", "add", "12").stderr
    keys = keys_of(two, OTHER)
    assert keys["aws_access_key_id"] in cloche(two, "accounts", "keys", OTHER).stdout
    assert keys["aws_access_key_id"] in cloche(two, "env", "--account", OTHER).stdout
    assert "no account" in cloche(two, "env", "--account", THIRD).stderr


def test_who_one_is_follows_from_the_key(two: Any) -> None:
    theirs = two.client("sts", **keys_of(two, OTHER))
    assert theirs.get_caller_identity()["Arn"] == f"arn:aws:iam::{OTHER}:root"
    assert two.client("sts").get_caller_identity()["Account"] == HOME
    key = keys_of(two, OTHER)["aws_access_key_id"]
    assert two.client("sts").get_access_key_info(AccessKeyId=key)["Account"] == OTHER


def test_iam_is_each_accounts_own(two: Any) -> None:
    mine, theirs = two.client("iam"), two.client("iam", **keys_of(two, OTHER))
    for iam, account in ((mine, HOME), (theirs, OTHER)):
        made = iam.create_user(UserName="Same")["User"]
        assert made["Arn"] == f"arn:aws:iam::{account}:user/Same"
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        )
        policy = iam.create_policy(PolicyName="Same", PolicyDocument=document)["Policy"]
        assert policy["Arn"] == f"arn:aws:iam::{account}:policy/Same"
        iam.attach_user_policy(UserName="Same", PolicyArn=policy["Arn"])
    assert code_of(theirs.get_policy, PolicyArn=f"arn:aws:iam::{HOME}:policy/Same") == "NoSuchEntity"
    assert theirs.get_role(RoleName="AmazonSageMaker-ExecutionRole")["Role"]["Arn"].split(":")[4] == OTHER
    aws = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    assert theirs.get_policy(PolicyArn=aws)["Policy"]["AttachmentCount"] == 1, "counted within the account"


def test_other_services_keep_them_apart(two: Any) -> None:
    mine, theirs = two.client("s3"), two.client("s3", **keys_of(two, OTHER))
    mine.create_bucket(Bucket="accounts-mine")
    theirs.create_bucket(Bucket="accounts-theirs")
    assert "accounts-mine" not in [each["Name"] for each in theirs.list_buckets()["Buckets"]]
    assert code_of(theirs.create_bucket, Bucket="accounts-mine") == "BucketAlreadyExists"
    assert code_of(theirs.list_objects_v2, Bucket="accounts-mine") == "AccessDenied"
    logs = two.client("logs", **keys_of(two, OTHER))
    logs.create_log_group(logGroupName="accounts-theirs")
    assert two.client("logs").describe_log_groups(logGroupNamePrefix="accounts-")["logGroups"] == []
    assert logs.describe_log_groups(logGroupNamePrefix="accounts-")["logGroups"][0]["arn"].split(":")[4] == OTHER
    names = [
        each["EndpointConfigName"]
        for each in two.client("sagemaker", **keys_of(two, OTHER)).list_endpoint_configs()["EndpointConfigs"]
    ]
    assert names == []


def test_a_role_cannot_be_passed_to_another_accounts_service(two: Any) -> None:
    role = two.client("iam").get_role(RoleName="AmazonSageMaker-ExecutionRole")["Role"]["Arn"]
    sagemaker = two.client("sagemaker", **keys_of(two, OTHER))
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    container = {"Image": image, "ModelDataUrl": "s3://accounts-theirs/model.tar.gz"}
    assert code_of(
        sagemaker.create_model, ModelName="passed", ExecutionRoleArn=role, PrimaryContainer=container
    ) == "ValidationException"  # fmt: skip


def test_assume_a_role_of_another_account(two: Any) -> None:
    theirs, mine = two.client("iam", **keys_of(two, OTHER)), two.client("iam")
    role = theirs.create_role(RoleName="Crossed", AssumeRolePolicyDocument=trusting(HOME))["Role"]["Arn"]
    mine.create_user(UserName="traveller")
    key = mine.create_access_key(UserName="traveller")["AccessKey"]
    hers = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    sts = two.client("sts", **hers)
    ask = {"RoleArn": role, "RoleSessionName": "visit"}
    assert code_of(sts.assume_role, **ask) == "AccessDenied", "her own account must allow it as well"
    named = trusting(f"arn:aws:iam::{HOME}:user/traveller")
    theirs.update_assume_role_policy(RoleName="Crossed", PolicyDocument=named)
    assert code_of(sts.assume_role, **ask) == "AccessDenied", "even where the role trusts her by name"
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    mine.put_user_policy(
        UserName="traveller",
        PolicyName="may",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    made = sts.assume_role(**ask)
    assert made["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/Crossed/visit"
    inside = {
        "aws_access_key_id": made["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": made["Credentials"]["SecretAccessKey"],
        "aws_session_token": made["Credentials"]["SessionToken"],
    }
    assert two.client("sts", **inside).get_caller_identity()["Account"] == OTHER
    assert "Crossed" in [each["RoleName"] for each in two.client("iam", **inside).list_roles()["Roles"]]
    theirs.update_assume_role_policy(RoleName="Crossed", PolicyDocument=trusting(OTHER))
    assert code_of(sts.assume_role, **ask) == "AccessDenied"
    elsewhere = f"arn:aws:iam::{THIRD}:role/Nobody"
    assert code_of(sts.assume_role, RoleArn=elsewhere, RoleSessionName="visit") == "AccessDenied"


def test_accounts_outlive_a_restart(start_server: Callable[..., Any], tmp_path: Path) -> None:
    server = start_server()
    assert cloche(server, "accounts", "add", OTHER).returncode == 0
    keys = keys_of(server, OTHER)
    server.client("iam", **keys).create_user(UserName="stays")
    owners = [server.client("s3", **each).list_buckets()["Owner"] for each in ({}, keys)]
    assert owners[0] != owners[1]
    server.stop()
    server.start()
    assert [server.client("s3", **each).list_buckets()["Owner"] for each in ({}, keys)] == owners
    assert server.client("iam", **keys).get_user(UserName="stays")["User"]["Arn"].split(":")[4] == OTHER


def post(server: Any, path: str, members: dict[str, Any], **headers: str) -> int:
    request = urllib.request.Request(server.url + path, json.dumps(members).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def test_own_routes_want_the_token(two: Any) -> None:
    for path in ("/_cloche/accounts", "/_cloche/reset", "/_cloche/provider-keys"):
        assert post(two, path, {"account": THIRD}) == 403
        assert post(two, path, {"account": THIRD}, Authorization="Bearer wrong") == 403
    assert THIRD not in cloche(two, "accounts", "list").stdout


def test_with_any_credentials_a_number_is_an_account(start_server: Callable[..., Any]) -> None:
    server = start_server("--any-credentials")

    def client(service: str, key: str) -> Any:
        return server.client(service, aws_access_key_id=key, aws_secret_access_key="whatever")

    assert client("sts", "anything").get_caller_identity()["Account"] == HOME
    assert client("sts", THIRD).get_caller_identity()["Arn"] == f"arn:aws:iam::{THIRD}:root"
    client("s3", OTHER).create_bucket(Bucket="digits")
    assert client("s3", THIRD).list_buckets()["Buckets"] == []
    session = client("sts", THIRD).get_session_token()["Credentials"]
    mine = server.client(
        "sts",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    assert mine.get_caller_identity()["Account"] == THIRD


def fill(server: Any, account: str) -> None:
    def client(service: str) -> Any:
        return server.client(service, aws_access_key_id=account, aws_secret_access_key="whatever")

    s3 = client("s3")
    bucket = f"filled-{account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="key", Body=body)
    s3.create_multipart_upload(Bucket=bucket, Key="begun")
    client("iam").create_user(UserName="filled", Tags=[{"Key": "a", "Value": "b"}])
    client("iam").create_account_alias(AccountAlias=f"alias-{account}")
    logs = client("logs")
    logs.create_log_group(logGroupName="filled", tags={"a": "b"})
    logs.create_log_stream(logGroupName="filled", logStreamName="stream")
    client("cloudwatch").put_metric_data(Namespace="Filled", MetricData=[{"MetricName": "m", "Value": 1.0}])


def held(server: Any, account: str) -> list[int]:
    def client(service: str) -> Any:
        return server.client(service, aws_access_key_id=account, aws_secret_access_key="whatever")

    return [
        len(client("s3").list_buckets()["Buckets"]),
        len(client("iam").list_users()["Users"]),
        len(client("iam").list_account_aliases()["AccountAliases"]),
        len(client("logs").describe_log_groups()["logGroups"]),
        len(client("cloudwatch").list_metrics()["Metrics"]),
    ]


def test_a_reset_empties_one_account_and_no_other(start_server: Callable[..., Any]) -> None:
    server = start_server("--any-credentials")
    for account in (OTHER, THIRD):
        fill(server, account)
        assert held(server, account) == [1, 1, 1, 1, 1]
    assert post(server, "/_cloche/reset", {"account": OTHER}) == 200
    assert held(server, OTHER) == [0, 0, 0, 0, 0]
    assert held(server, THIRD) == [1, 1, 1, 1, 1]
    fill(server, OTHER)
    assert held(server, OTHER) == [1, 1, 1, 1, 1], "names are free again"
    roles = server.client("iam", aws_access_key_id=OTHER, aws_secret_access_key="x").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles] == ["AmazonSageMaker-ExecutionRole"]
    assert post(server, "/_cloche/reset", {"account": "999999999999"}) == 404
    assert post(server, "/_cloche/reset", {"account": 1}) == 400
    assert post(server, "/_cloche/accounts", {"account": "999999999999"}) == 403, "only a reset is open"


def test_cloche_reset_of_an_account(start_server: Callable[..., Any]) -> None:
    server = start_server()
    assert cloche(server, "accounts", "add", OTHER).returncode == 0
    keys = keys_of(server, OTHER)
    server.client("s3", **keys).create_bucket(Bucket="gone")
    server.client("s3").create_bucket(Bucket="stays")
    done = cloche(server, "reset", "--account", OTHER, "--yes")
    assert (done.returncode, done.stdout) == (0, f"account {OTHER} is empty\n"), done.stderr
    assert server.client("s3", **keys).list_buckets()["Buckets"] == [], "the root's key is the same"
    assert len(server.client("s3").list_buckets()["Buckets"]) == 1
    assert "holds no account" in cloche(server, "reset", "--account", THIRD, "--yes").stderr
