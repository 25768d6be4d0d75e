"""Models made of a package of the registry: approved ones serve, and what contradicts the package is refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, XGBOOST, Hosting, hosting_of, trained, unique


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


def registered(hosting: Hosting, url: str, **members: Any) -> str:
    group = unique("group")
    hosting.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    request = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {"Containers": [{"Image": XGBOOST, "ModelDataUrl": url}]},
        "ModelApprovalStatus": "Approved",
        **members,
    }
    arn: str = hosting.sagemaker.create_model_package(**request)["ModelPackageArn"]
    return arn


def model(hosting: Hosting, container: dict[str, Any], *, primary: bool = False) -> str:
    name = unique("model")
    holder = {"PrimaryContainer": container} if primary else {"Containers": [container]}
    hosting.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, **holder)
    return name


def refused(hosting: Hosting, container: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as error:
        model(hosting, container)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return str(error.value.response["Error"]["Message"])


def test_an_approved_version_answers_at_an_endpoint(hosting: Hosting) -> None:
    archive, expected = trained(3)
    arn = registered(hosting, hosting.put(archive))
    name = model(hosting, {"ModelPackageName": arn})
    container = hosting.sagemaker.describe_model(ModelName=name)["Containers"][0]
    assert container["ModelPackageName"] == arn
    assert container["Image"] == XGBOOST
    endpoint = unique("endpoint")
    config = hosting.config({"VariantName": "only", "ModelName": name})
    hosting.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"
    assert hosting.ask(endpoint) == pytest.approx(expected, rel=1e-5)
    hosting.gone(endpoint)


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_a_version_that_is_not_approved_is_not_deployed(hosting: Hosting, status: str) -> None:
    url = hosting.put(b"model")
    arn = registered(hosting, url, ModelApprovalStatus=status)
    said = refused(hosting, {"ModelPackageName": arn})
    assert arn in said and status in said
    hosting.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    name = model(hosting, {"ModelPackageName": arn}, primary=True)
    hosting.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    held = hosting.sagemaker.describe_model(ModelName=name)["PrimaryContainer"]
    assert held["ModelDataUrl"] == url, "the model keeps what it was made of"


def test_a_specification_is_chosen_by_its_name(hosting: Hosting) -> None:
    url, other = hosting.put(b"model"), hosting.put(b"smaller")
    further = [{"Name": "small", "Containers": [{"Image": XGBOOST, "ModelDataUrl": other, "Environment": {"A": "1"}}]}]
    arn = registered(hosting, url, AdditionalInferenceSpecifications=further)
    name = model(hosting, {"ModelPackageName": arn, "InferenceSpecificationName": "small"})
    container = hosting.sagemaker.describe_model(ModelName=name)["Containers"][0]
    assert (container["ModelDataUrl"], container["Environment"]) == (other, {"A": "1"})
    said = refused(hosting, {"ModelPackageName": arn, "InferenceSpecificationName": "large"})
    assert "has no inference specification named large" in said
    assert "InferenceSpecificationName" in refused(hosting, {"Image": XGBOOST, "InferenceSpecificationName": "small"})


def test_what_the_package_says_is_not_said_again(hosting: Hosting) -> None:
    url = hosting.put(b"model")
    specification = {"Containers": [{"Image": XGBOOST, "ModelDataUrl": url, "Environment": {"A": "1"}}]}
    arn = registered(hosting, url, InferenceSpecification=specification)
    assert refused(hosting, {"ModelPackageName": arn, "Image": XGBOOST}).startswith("Image is the model package's")
    said = refused(hosting, {"ModelPackageName": arn, "Environment": {"B": "2"}})
    assert said == "Environment variable map cannot be specified both at Model Package {A=1} and Model {B=2}"
    plain = registered(hosting, url)
    name = model(hosting, {"ModelPackageName": plain, "Environment": {"B": "2"}})
    container = hosting.sagemaker.describe_model(ModelName=name)["Containers"][0]
    assert container["Environment"] == {"B": "2"}


def test_packages_that_cannot_be_deployed(hosting: Hosting) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/none-such/3"
    assert refused(hosting, {"ModelPackageName": arn}) == f"ModelPackage {arn} does not exist."
    gone = registered(hosting, "s3://hosting-models/not-there/model.tar.gz")
    assert refused(hosting, {"ModelPackageName": gone}).startswith("Could not access model data at s3://hosting-models")


def test_a_model_is_registered_by_its_arn(hosting: Hosting) -> None:
    url = hosting.put(b"model")
    name = hosting.model(url, environment={"A": "1"})
    source = hosting.sagemaker.describe_model(ModelName=name)["ModelArn"]
    group = unique("group")
    hosting.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arn = hosting.sagemaker.create_model_package(ModelPackageGroupName=group, SourceUri=source)["ModelPackageArn"]
    container = hosting.sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"][
        0
    ]
    assert container == {"Image": XGBOOST, "ModelDataUrl": url, "Environment": {"A": "1"}}
