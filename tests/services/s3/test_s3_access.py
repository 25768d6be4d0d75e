"""Several accounts, and nobody, at the same buckets: owners, ACLs, policies, public access, from unmodified boto3."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

OTHER = "210987654321"
HOME = "123456789012"
_numbers = itertools.count(1)
OPEN = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False)
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture(scope="module")
def other(server: Any) -> Any:
    """S3 as another account's root."""
    token = (server.data / "keys" / "console.token").read_text().strip()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = urllib.request.Request(
        f"{server.url}/_cloche/accounts", json.dumps({"account": OTHER, "name": "other"}).encode(), headers
    )
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:  # it is there already
        assert error.code == 409
        error.close()
    root = json.loads((server.data / "keys" / f"root-{OTHER}.json").read_text())
    return server.client("s3", aws_access_key_id=root["AccessKeyId"], aws_secret_access_key=root["SecretAccessKey"])


@pytest.fixture(scope="module")
def nobody(server: Any) -> Any:
    return server.client("s3", config=Config(signature_version=UNSIGNED))


@pytest.fixture
def shared(s3: Any) -> Iterator[str]:
    """A bucket with ACLs and nothing blocked."""
    name = f"access-bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=OPEN)
    yield name


def allow(bucket: str, *actions: str, principal: Any = "*", effect: str = "Allow", **more: Any) -> str:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resources, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_nobody_else_may_do_anything(s3, bucket, other, nobody, refused: Callable[..., Any]) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    for client in (other, nobody):
        for call, arguments in (
            (client.list_objects_v2, {}),
            (client.get_bucket_acl, {}),
            (client.get_bucket_policy, {}),
            (client.put_bucket_policy, {"Policy": allow(bucket, "s3:*")}),
            (client.delete_bucket, {}),
            (client.get_object, {"Key": "key"}),
            (client.get_object, {"Key": "not-there"}),
            (client.put_object, {"Key": "key", "Body": b"y"}),
            (client.delete_object, {"Key": "key"}),
            (client.create_multipart_upload, {"Key": "key"}),
            (client.copy_object, {"Key": "copy", "CopySource": f"{bucket}/key"}),
        ):
            refusal = refused(call, Bucket=bucket, **arguments)
            assert (refusal.code, refusal.status) == ("AccessDenied", 403), call
        assert refused(client.head_object, Bucket=bucket, Key="key").status == 403
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key"}]})
        assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    assert refused(nobody.create_bucket, Bucket="nobodys-bucket").code == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"


def test_tags_are_the_bucket_owners(s3, shared, other, nobody, refused) -> None:
    """Whosever the object is (API_GetObjectTagging.html: "By default, the bucket owner has this permission")."""
    s3.put_bucket_acl(Bucket=shared, ACL="public-read-write")
    nobody.put_object(Bucket=shared, Key="nobodys", Body=b"x", Tagging="a=1")
    asked = {"Bucket": shared, "Key": "nobodys"}
    assert refused(s3.get_object, **asked).code == "AccessDenied"
    assert s3.get_object_tagging(**asked)["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert refused(other.get_object_tagging, **asked).code == "AccessDenied"
    s3.put_bucket_policy(Bucket=shared, Policy=allow(shared, "s3:GetObject", "s3:GetObjectTagging"))
    assert other.get_object_tagging(**asked)["TagSet"] == [{"Key": "a", "Value": "1"}], "granted to others"
    assert refused(other.get_object, **asked).code == "AccessDenied", "of the object itself the owner cannot"
    s3.delete_object_tagging(**asked)
    assert s3.get_object_tagging(**asked)["TagSet"] == []


def test_whose_bucket_it_is_expected_to_be(s3, bucket, refused) -> None:
    s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=HOME)
    assert refused(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner=OTHER).code == "AccessDenied"
    for owner in ("abcd", "0000000000020"):
        refusal = refused(s3.get_bucket_location, Bucket=bucket, ExpectedBucketOwner=owner)
        assert (refusal.code, refusal.status) == ("InvalidBucketOwnerAWSAccountID", 400)
        assert refusal.message.endswith(f"[{owner}]")


def test_a_bucket_has_one_owner(s3, bucket, other, refused) -> None:
    assert refused(other.create_bucket, Bucket=bucket).code == "BucketAlreadyExists"
    assert bucket not in [each["Name"] for each in other.list_buckets()["Buckets"]]
    mine, theirs = s3.list_buckets()["Owner"]["ID"], other.list_buckets()["Owner"]["ID"]
    assert mine != theirs
    assert len(mine) == len(theirs) == 64
    assert s3.get_bucket_acl(Bucket=bucket)["Owner"] == {"ID": mine}


def test_new_buckets_have_no_acls(s3, bucket, refused) -> None:
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    for acl in ("private", "public-read"):
        assert refused(s3.put_bucket_acl, Bucket=bucket, ACL=acl).code == "AccessControlListNotSupported"
        refusal = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"", ACL=acl)
        assert (refusal.code, refusal.message) == ("AccessControlListNotSupported", "The bucket does not allow ACLs")
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="bucket-owner-full-control")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    refusal = refused(s3.create_bucket, Bucket="with-acl", ACL="public-read")
    assert refusal.code == "InvalidBucketAclWithObjectOwnership"
    refusal = refused(s3.create_bucket, Bucket="with-acl", ACL="public-read", ObjectOwnership="ObjectWriter")
    assert refusal.code == "InvalidBucketAclWithBlockPublicAccessError"


def test_acls_open_a_bucket_and_its_objects(s3, shared, other, nobody, refused) -> None:
    s3.put_object(Bucket=shared, Key="closed", Body=b"closed")
    s3.put_object(Bucket=shared, Key="open", Body=b"open", ACL="public-read")
    assert nobody.get_object(Bucket=shared, Key="open")["Body"].read() == b"open"
    assert refused(nobody.get_object, Bucket=shared, Key="closed").code == "AccessDenied"
    assert refused(nobody.list_objects_v2, Bucket=shared).code == "AccessDenied"
    s3.put_bucket_acl(Bucket=shared, ACL="public-read")
    assert nobody.list_objects_v2(Bucket=shared)["KeyCount"] == 2
    assert refused(nobody.get_object, Bucket=shared, Key="not-there").code == "NoSuchKey"
    assert refused(nobody.put_object, Bucket=shared, Key="new", Body=b"").code == "AccessDenied"
    theirs = other.list_buckets()["Owner"]["ID"]
    s3.put_bucket_acl(Bucket=shared, GrantWrite=f'id="{theirs}"')
    other.put_object(Bucket=shared, Key="theirs", Body=b"theirs")
    assert other.get_object_acl(Bucket=shared, Key="theirs")["Owner"]["ID"] == theirs
    assert refused(s3.get_object, Bucket=shared, Key="theirs").code == "AccessDenied", "it is not the bucket owner's"
    listed = s3.list_objects_v2(Bucket=shared, FetchOwner=True)["Contents"]
    assert {each["Owner"]["ID"] == theirs for each in listed if each["Key"] == "theirs"} == {True}
    other.put_object_acl(Bucket=shared, Key="theirs", ACL="bucket-owner-full-control")
    assert s3.get_object(Bucket=shared, Key="theirs")["Body"].read() == b"theirs"
    s3.put_public_access_block(Bucket=shared, PublicAccessBlockConfiguration={**OPEN, "IgnorePublicAcls": True})
    assert refused(nobody.get_object, Bucket=shared, Key="open").code == "AccessDenied"
    s3.put_public_access_block(Bucket=shared, PublicAccessBlockConfiguration={**OPEN, "BlockPublicAcls": True})
    assert refused(s3.put_object_acl, Bucket=shared, Key="closed", ACL="public-read").code == "AccessDenied"
    assert (
        refused(s3.put_object, Bucket=shared, Key="x", Body=b"", GrantRead=f'uri="{ALL_USERS}"').code == "AccessDenied"
    )


def test_ownership_follows_its_setting(s3, shared, other, refused) -> None:
    mine, theirs = s3.list_buckets()["Owner"]["ID"], other.list_buckets()["Owner"]["ID"]
    s3.put_bucket_acl(Bucket=shared, GrantWrite=f'id="{theirs}"')
    refusal = refused(
        s3.put_bucket_ownership_controls,
        Bucket=shared,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    )
    assert refusal.code == "InvalidBucketAclWithObjectOwnership"
    preferred = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.put_bucket_ownership_controls(Bucket=shared, OwnershipControls=preferred)
    other.put_object(Bucket=shared, Key="given", Body=b"", ACL="bucket-owner-full-control")
    other.put_object(Bucket=shared, Key="kept", Body=b"")
    owners = {each["Key"]: each["Owner"]["ID"] for each in s3.list_objects(Bucket=shared)["Contents"]}
    assert owners == {"given": mine, "kept": theirs}
    upload = other.create_multipart_upload(Bucket=shared, Key="parts")["UploadId"]
    part = other.upload_part(Bucket=shared, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    other.complete_multipart_upload(
        Bucket=shared,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert other.get_object_acl(Bucket=shared, Key="parts")["Owner"]["ID"] == theirs
    alone = {"Owner": {"ID": mine}, "Grants": []}
    s3.put_bucket_acl(Bucket=shared, AccessControlPolicy=alone)
    assert s3.get_bucket_acl(Bucket=shared)["Grants"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "MissingSecurityHeader"),
        ({"ACL": "secret"}, "InvalidArgument"),
        ({"GrantRead": 'id="nobody"'}, "InvalidArgument"),
        ({"GrantRead": 'uri="http://example.com"'}, "InvalidArgument"),
        ({"GrantRead": 'emailAddress="me@example.com"'}, "MethodNotAllowed"),
        ({"ACL": "private", "GrantRead": f'uri="{ALL_USERS}"'}, "InvalidRequest"),
        ({"AccessControlPolicy": {"Owner": {"ID": "x" * 64}, "Grants": []}}, "AccessDenied"),
        ({"AccessControlPolicy": {"Grants": []}}, "MalformedACLError"),
    ],
    ids=str,
)
def test_acls_that_are_refused(s3, shared, refused, arguments, code) -> None:
    assert refused(s3.put_bucket_acl, Bucket=shared, **arguments).code == code


def test_a_policy_lets_others_in(s3, bucket, other, nobody, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", Tagging="colour=green")
    refusal = refused(s3.put_bucket_policy, Bucket=bucket, Policy=allow(bucket, "s3:GetObject"))
    assert (refusal.code, refusal.status) == ("AccessDenied", 403), "a public policy, and those are blocked"
    assert refused(s3.get_bucket_policy, Bucket=bucket).code == "NoSuchBucketPolicy"
    text = allow(bucket, "s3:GetObject", "s3:ListBucket", principal={"AWS": OTHER})
    assert s3.put_bucket_policy(Bucket=bucket, Policy=text)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    assert other.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
    assert refused(other.get_object, Bucket=bucket, Key="not-there").code == "NoSuchKey"
    assert refused(other.put_object, Bucket=bucket, Key="new", Body=b"").code == "AccessDenied"
    assert refused(nobody.get_object, Bucket=bucket, Key="key").code == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject"))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    assert nobody.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
    assert refused(nobody.get_object, Bucket=bucket, Key="not-there").code == "AccessDenied"
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**OPEN, "RestrictPublicBuckets": True})
    assert refused(nobody.get_object, Bucket=bucket, Key="key").code == "AccessDenied"
    assert refused(other.get_object, Bucket=bucket, Key="key").code == "AccessDenied"
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(s3.get_bucket_policy_status, Bucket=bucket).code == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"StringEquals": {"s3:ExistingObjectTag/colour": "green"}}, True),
        ({"StringEquals": {"s3:ExistingObjectTag/colour": "red"}}, False),
        ({"StringLike": {"aws:UserAgent": "*Boto3*"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": OTHER}}, True),
        ({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256", "s3:authType": "REST-HEADER"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
    ],
    ids=str,
)
def test_conditions_of_a_policy(s3, bucket, other, refused, condition, holds) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", Tagging="colour=green")
    s3.put_bucket_policy(
        Bucket=bucket, Policy=allow(bucket, "s3:GetObject", principal={"AWS": OTHER}, Condition=condition)
    )
    if holds:
        assert other.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
    else:
        assert refused(other.get_object, Bucket=bucket, Key="key").code == "AccessDenied"


def test_conditions_on_listing_and_writing(s3, bucket, other, refused) -> None:
    prefix = {"StringEquals": {"s3:prefix": "public/"}}
    s3.put_bucket_policy(
        Bucket=bucket, Policy=allow(bucket, "s3:ListBucket", principal={"AWS": OTHER}, Condition=prefix)
    )
    other.list_objects_v2(Bucket=bucket, Prefix="public/")
    assert refused(other.list_objects_v2, Bucket=bucket).code == "AccessDenied"
    sealed = {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    s3.put_bucket_policy(
        Bucket=bucket, Policy=allow(bucket, "s3:PutObject", principal={"AWS": OTHER}, Condition=sealed)
    )
    other.put_object(Bucket=bucket, Key="sealed", Body=b"", ServerSideEncryption="AES256")
    assert refused(other.put_object, Bucket=bucket, Key="plain", Body=b"").code == "AccessDenied"
    tagged = {"ServerSideEncryption": "AES256", "Tagging": "a=b"}
    assert refused(other.put_object, Bucket=bucket, Key="tagged", Body=b"", **tagged).code == "AccessDenied"


def test_an_explicit_deny_holds_for_everybody_and_can_be_repaired(s3, bucket, refused, server) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:*", effect="Deny"))
    for call, arguments in (
        (s3.get_object, {"Key": "key"}),
        (s3.put_object, {"Key": "key", "Body": b""}),
        (s3.list_objects_v2, {}),
        (s3.get_bucket_acl, {}),
        (s3.delete_bucket, {}),
    ):
        assert refused(call, Bucket=bucket, **arguments).code == "AccessDenied", call
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key"}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    iam = server.client("iam")
    iam.create_user(UserName="denied-user")
    key = iam.create_access_key(UserName="denied-user")["AccessKey"]
    user = server.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    assert refused(user.delete_bucket_policy, Bucket=bucket).code == "AccessDenied"
    assert "Statement" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    assert user.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"


def test_a_deny_that_spares_some(s3, bucket, refused) -> None:
    """The usual guard: nothing but what is encrypted so."""
    s3.put_bucket_policy(
        Bucket=bucket,
        Policy=allow(
            bucket,
            "s3:PutObject",
            effect="Deny",
            Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        ),
    )
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"").code == "AccessDenied"
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ServerSideEncryption="aws:kms")


def test_policies_that_are_refused(s3, bucket, refused) -> None:
    for text, words in (
        ("not json", "Policies must be valid JSON and the first byte must be '{'"),
        (allow("elsewhere", "s3:GetObject"), "Policy has invalid resource"),
        (allow(bucket, "s3:Nothing"), "Policy has invalid action"),
        (
            allow(bucket, "s3:GetObject", principal={"AWS": f"arn:aws:iam::{HOME}:user/ghost"}),
            "Invalid principal in policy",
        ),
    ):
        refusal = refused(s3.put_bucket_policy, Bucket=bucket, Policy=text)
        assert (refusal.code, refusal.message) == ("MalformedPolicy", words)


def test_the_public_access_block_of_an_account(server, s3, shared, refused) -> None:
    control = server.client(  # its hosts carry the account's number, so it needs AWS's names
        "s3control",
        endpoint_url=None,
        config=Config(proxies={"https": server.url}),
        verify=str(server.data / "keys" / "bundle.pem"),
    )
    refusal = refused(control.get_public_access_block, AccountId=HOME)
    assert (refusal.code, refusal.status) == ("NoSuchPublicAccessBlockConfiguration", 404)
    block = {**OPEN, "BlockPublicAcls": True}
    control.put_public_access_block(AccountId=HOME, PublicAccessBlockConfiguration=block)
    try:
        assert control.get_public_access_block(AccountId=HOME)["PublicAccessBlockConfiguration"] == block
        assert refused(s3.put_bucket_acl, Bucket=shared, ACL="public-read").code == "AccessDenied"
    finally:
        control.delete_public_access_block(AccountId=HOME)
    s3.put_bucket_acl(Bucket=shared, ACL="public-read")
    assert refused(control.get_public_access_block, AccountId=OTHER).code == "AccessDenied"
    refusal = refused(control.list_access_points, AccountId=HOME)
    assert (refusal.status, "ListAccessPoints" in refusal.message) == (501, True)


def test_the_requester_says_that_he_pays(s3, bucket, other, refused) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject", principal={"AWS": OTHER}))
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    assert refused(other.get_object, Bucket=bucket, Key="key").code == "AccessDenied"
    assert other.get_object(Bucket=bucket, Key="key", RequestPayer="requester")["Body"].read() == b"x"
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
