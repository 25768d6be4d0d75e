"""Repositories, their settings, policies and tags through unmodified boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from image_pushing import OCI_MANIFEST, RegistryClient, SmallImage

from server_process import ACCOUNT, REGION, ServerProcess


@pytest.fixture
def ecr(client: Callable[..., Any]) -> Any:
    return client("ecr")


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as error:
        call(**arguments)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_repository_from_its_making_to_its_end(ecr: Any) -> None:
    name = "life/of-one"
    made = ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
    assert made["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"] == [made]
    code, message = refused(ecr.create_repository, repositoryName=name)
    assert code == "RepositoryAlreadyExistsException"
    assert message == f"The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"
    assert ecr.delete_repository(repositoryName=name)["repository"]["repositoryName"] == name
    code, message = refused(ecr.delete_repository, repositoryName=name)
    assert code == "RepositoryNotFoundException"
    assert message == f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"


def test_one_with_images_goes_only_by_force(ecr: Any, server: ServerProcess) -> None:
    name, registry = "life/full", RegistryClient(server)
    ecr.create_repository(repositoryName=name)
    registry.push(name, SmallImage(name), "1")
    assert refused(ecr.delete_repository, repositoryName=name)[0] == "RepositoryNotEmptyException"
    ecr.delete_repository(repositoryName=name, force=True)
    ecr.create_repository(repositoryName=name)
    assert ecr.list_images(repositoryName=name)["imageIds"] == [], "a new one begins empty"
    assert registry.ask("HEAD", f"/v2/{name}/manifests/1").status == 404


def test_pages_are_in_the_order_of_names(ecr: Any) -> None:
    names = [f"paged/{letter}{letter}" for letter in "dbca"]
    for name in names:
        ecr.create_repository(repositoryName=name)
    pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3})
    found = [each["repositoryName"] for page in pages for each in page["repositories"]]
    assert found == sorted(found)
    assert set(names) <= set(found)
    asked = ecr.describe_repositories(repositoryNames=[names[1], names[0]])["repositories"]
    assert [each["repositoryName"] for each in asked] == [names[1], names[0]]


@pytest.mark.parametrize("name", ["AB", "Upper/case", "a//b", "a/../b", "-a", "a b", "x" * 257, "ää"])
def test_names_that_are_none(client: Callable[..., Any], name: str) -> None:
    code, message = refused(client("ecr").create_repository, repositoryName=name)
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'repositoryName' failed to satisfy constraint: '")


def test_what_is_not_done_is_refused_by_name(ecr: Any) -> None:
    name = "refused/things"
    ecr.create_repository(repositoryName=name)
    scanning = {"scanOnPush": True}
    for call, arguments in (
        (ecr.create_repository, {"repositoryName": "refused/scan", "imageScanningConfiguration": scanning}),
        (ecr.put_image_scanning_configuration, {"repositoryName": name, "imageScanningConfiguration": scanning}),
        (ecr.start_image_scan, {"repositoryName": name, "imageId": {"imageTag": "1"}}),
        (ecr.describe_image_scan_findings, {"repositoryName": name, "imageId": {"imageTag": "1"}}),
        (ecr.put_registry_scanning_configuration, {"scanType": "ENHANCED"}),
        (
            ecr.put_replication_configuration,
            {
                "replicationConfiguration": {
                    "rules": [{"destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}]}]
                }
            },
        ),
        (ecr.create_pull_through_cache_rule, {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}),
        (ecr.create_repository_creation_template, {"prefix": "ROOT", "appliedFor": ["REPLICATION"]}),
    ):
        assert "Cloche" in refused(call, **arguments)[1]
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"
    found = ecr.batch_get_repository_scanning_configuration(repositoryNames=[name, "refused/none"])
    assert found["scanningConfigurations"][0]["scanFrequency"] == "MANUAL"
    assert found["failures"][0]["failureCode"] == "REPOSITORY_NOT_FOUND"


def test_tags_that_stay_where_they_are(ecr: Any, server: ServerProcess) -> None:
    name, registry = "settings/immutable", RegistryClient(server)
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    one, two = SmallImage(f"{name} one"), SmallImage(f"{name} two")
    registry.push(name, one, "1")
    registry.push(name, two)
    words = f"The image tag '1' already exists in the '{name}' repository and cannot be overwritten because the"
    for image in (one, two):
        again = registry.put_manifest(name, image.manifest, "1")
        assert (again.status, again.code) == (400, "TAG_INVALID")
        assert again.json["errors"][0]["message"] == f"{words} repository is immutable."
    put = {"repositoryName": name, "imageManifest": two.manifest.decode(), "imageTag": "1"}
    assert refused(ecr.put_image, **put)[0] == "ImageTagAlreadyExistsException"
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    answer = ecr.put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    assert answer["imageTagMutabilityExclusionFilters"] == filters
    for image in (one, two):
        assert registry.put_manifest(name, image.manifest, "dev-1").status == 201
    assert registry.put_manifest(name, two.manifest, "1").status == 400
    missing = {"repositoryName": name, "imageTagMutability": "MUTABLE_WITH_EXCLUSION"}
    assert "can't be null" in refused(ecr.put_image_tag_mutability, **missing)[1]
    ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE")
    assert ecr.put_image(**put)["image"]["imageId"] == {"imageDigest": two.digest, "imageTag": "1"}


def test_tags_of_repositories_and_the_search_for_them(ecr: Any, client: Callable[..., Any]) -> None:
    name = "tagged/one"
    arn = ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "ecr"}])["repository"][
        "repositoryArn"
    ]
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "stage", "Value": "test"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "stage", "Value": "test"}]
    found = client("resourcegroupstaggingapi").get_resources(ResourceTypeFilters=["ecr"])["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in found] == [arn]
    assert refused(ecr.list_tags_for_resource, resourceArn="arn:aws:s3:::x")[0] == "InvalidParameterException"
    assert refused(ecr.list_tags_for_resource, resourceArn=f"{arn}-not")[0] == "RepositoryNotFoundException"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    assert refused(ecr.create_repository, repositoryName="tagged/many", tags=many)[0] == "TooManyTagsException"
    reserved = [{"Key": "aws:x", "Value": ""}]
    assert refused(ecr.tag_resource, resourceArn=arn, tags=reserved)[0] == "InvalidTagParameterException"


def test_another_account_needs_the_policys_yes(start_server: Callable[..., ServerProcess]) -> None:
    """With ``--any-credentials`` a key of twelve digits is that account's root."""
    server = start_server("--any-credentials")
    other = "111122223333"
    theirs = {"aws_access_key_id": other, "aws_secret_access_key": "x"}
    ours, stranger = server.client("ecr"), server.client("ecr", **theirs)
    ours.create_repository(repositoryName="shared")
    RegistryClient(server).push("shared", SmallImage("shared"), "1")
    pull = {"registryId": ACCOUNT, "repositoryName": "shared", "imageIds": [{"imageTag": "1"}]}
    assert refused(stranger.batch_get_image, **pull)[0] == "AccessDeniedException"
    assert refused(stranger.batch_get_image, **{**pull, "repositoryName": "none"})[0] == "AccessDeniedException"
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other}:root"}, "Action": "ecr:BatchGetImage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert refused(ours.get_repository_policy, repositoryName="shared")[0] == "RepositoryPolicyNotFoundException"
    assert ours.set_repository_policy(repositoryName="shared", policyText=policy)["policyText"] == policy
    assert stranger.batch_get_image(**pull)["images"][0]["imageManifestMediaType"] == OCI_MANIFEST
    assert (
        refused(stranger.delete_repository, registryId=ACCOUNT, repositoryName="shared")[0] == "AccessDeniedException"
    )
    # Their token opens their own registry; the name of ours in the address leads to ours.
    token = RegistryClient(server, **theirs)
    assert token.ask("GET", "/v2/shared/manifests/1").code == "NAME_UNKNOWN"
    host = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    assert token.ask("GET", "/v2/shared/manifests/1", host=host).status == 200
    denied = token.ask("POST", "/v2/shared/blobs/uploads/", host=host)
    assert (denied.status, denied.code) == (403, "DENIED")
    assert ours.delete_repository_policy(repositoryName="shared")["policyText"] == policy
    assert token.ask("GET", "/v2/shared/manifests/1", host=host).status == 403
    nothing = {"repositoryName": "shared", "policyText": "{}"}
    assert "Invalid repository policy provided" in refused(ours.set_repository_policy, **nothing)[1]


def test_what_holds_for_a_registry(client: Callable[..., Any]) -> None:
    ecr = client("ecr", region_name="eu-central-1")
    assert ecr.describe_registry()["registryId"] == ACCOUNT
    assert refused(ecr.get_registry_policy)[0] == "RegistryPolicyNotFoundException"
    allow = {"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "ecr:ReplicateImage", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    ecr.put_registry_policy(policyText=text)
    assert ecr.get_registry_policy()["policyText"] == text
    assert ecr.delete_registry_policy()["policyText"] == text
    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "ENABLED"
    ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
    assert refused(ecr.put_account_setting, name="BLOB_MOUNTING", value="MAYBE")[0] == "InvalidParameterException"
    assert refused(ecr.put_account_setting, name="OTHER", value="V2")[0] == "InvalidParameterException"
