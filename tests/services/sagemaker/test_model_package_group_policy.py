"""Resource policies of model package groups: kept as they were put, told, removed; what is none is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import unique

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture
def sagemaker(client: Callable[..., Any]) -> Any:
    return client("sagemaker")


@pytest.fixture
def group(sagemaker: Any) -> str:
    name = unique("shared")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def policy(group: str, **statement: Any) -> dict[str, Any]:
    """As AWS's guide on sharing groups across accounts writes it."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::210987654321:root"]},
                "Action": ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"],
                "Resource": [f"{ARN}:model-package-group/{group}", f"{ARN}:model-package/{group}/*"],
                **statement,
            }
        ],
    }


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**request)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_policy_is_put_told_and_removed(sagemaker: Any, group: str) -> None:
    arn = f"{ARN}:model-package-group/{group}"
    said = refused(sagemaker.get_model_package_group_policy, ModelPackageGroupName=group)
    assert said == ("ValidationException", f"Cannot find resource policy for: {arn}")
    text = json.dumps(policy(group))
    put = sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=text)
    assert put["ModelPackageGroupArn"] == arn
    assert sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"] == text
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName=group)
    said = refused(sagemaker.delete_model_package_group_policy, ModelPackageGroupName=group)
    assert said == ("ValidationException", f"Cannot find resource policy for: {arn}")


def test_a_group_that_is_not_there(sagemaker: Any) -> None:
    expected = ("ValidationException", f"Cannot find Model Package Group: {ARN}:model-package-group/not-there")
    assert refused(sagemaker.get_model_package_group_policy, ModelPackageGroupName="not-there") == expected
    assert refused(sagemaker.delete_model_package_group_policy, ModelPackageGroupName="not-there") == expected
    text = json.dumps(policy("not-there"))
    put = sagemaker.put_model_package_group_policy
    assert refused(put, ModelPackageGroupName="not-there", ResourcePolicy=text) == expected


def test_versions_are_still_numbered_after_a_policy(sagemaker: Any, group: str) -> None:
    create = sagemaker.create_model_package
    specification = {"Containers": [{"Image": "image"}]}
    create(ModelPackageGroupName=group, InferenceSpecification=specification)
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=json.dumps(policy(group)))
    made = create(ModelPackageGroupName=group, InferenceSpecification=specification)
    assert made["ModelPackageArn"].endswith("/2")
    kept = sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"]
    assert json.loads(kept) == policy(group)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[" * 5_000, "not JSON"),
        ("[]", "Version"),
        ('{"Version": "2020-01-01"}', "Version"),
        ('{"Version": "2012-10-17"}', "no Statement"),
        ({"Effect": "Perhaps"}, "Effect"),
        ({"Principal": {}}, "no Principal"),
        ({"Principal": {"AWS": []}}, "no Principal"),
        ({"Action": "s3:GetObject"}, "actions of sagemaker"),
        ({"Action": []}, "no Action"),
        ({"Resource": "*"}, "neither this group"),
        ({"Resource": f"{ARN}:model-package-group/another"}, "neither this group"),
        ({"Resource": [3]}, "no Resource"),
    ],
    ids=str,
)
def test_what_is_no_policy_of_the_group(sagemaker: Any, group: str, text: Any, why: str) -> None:
    sent = text if isinstance(text, str) else json.dumps(policy(group, **text))
    put = sagemaker.put_model_package_group_policy
    code, said = refused(put, ModelPackageGroupName=group, ResourcePolicy=sent)
    assert code == "ValidationException"
    assert said.startswith("ResourcePolicy is not valid") and why in said
