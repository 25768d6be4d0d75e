"""Endpoint configurations: variants of models that are there, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, Hosting, archive, hosting_of, refused, unique

ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/"


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture
def variant(hosting: Hosting) -> dict[str, Any]:
    model = hosting.model(hosting.put(archive({"xgboost-model": b"x"})))
    return {"VariantName": "AllTraffic", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


def test_a_configuration_is_created_described_listed_and_deleted(hosting: Hosting, variant: dict[str, Any]) -> None:
    name = unique("config")
    sagemaker = hosting.sagemaker
    created = sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant], KmsKeyId="alias/mine"
    )
    assert created["EndpointConfigArn"] == ARN + name
    found = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert found["ProductionVariants"] == [{**variant, "InitialVariantWeight": 1.0}]
    assert found["KmsKeyId"] == "alias/mine"
    assert "DataCaptureConfig" not in found
    listed = sagemaker.list_endpoint_configs(NameContains=name)["EndpointConfigs"]
    assert [each["EndpointConfigName"] for each in listed] == [name]
    with pytest.raises(ClientError) as error:
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    assert refused(error) == (
        "ValidationException",
        f'Cannot create already existing endpoint configuration "{ARN}{name}".',
    )
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    with pytest.raises(ClientError) as error:
        sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert refused(error) == ("ValidationException", f'Could not find endpoint configuration "{ARN}{name}".')


def test_a_model_that_is_not_there(hosting: Hosting, variant: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        hosting.config({**variant, "ModelName": "none"})
    assert refused(error) == (
        "ValidationException",
        'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/none".',
    )


def test_a_broken_constraint_is_told_in_awss_words(hosting: Hosting, variant: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        hosting.config({**variant, "ModelName": "ENTER MODEL NAME"})
    code, said = refused(error)
    assert code == "ValidationException"
    assert said.startswith(
        "1 validation error detected: Value 'ENTER MODEL NAME' at 'productionVariants.1.member.modelName' failed to "
        "satisfy constraint: Member must satisfy regular expression pattern: "
    )


def test_two_variants_of_one_name(hosting: Hosting, variant: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        hosting.config(variant, variant)
    assert refused(error)[0] == "ValidationException"


def test_more_instances_than_this_machine_should_run(hosting: Hosting, variant: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        hosting.config({**variant, "InitialInstanceCount": 5})
    code, said = refused(error)
    assert code == "ResourceLimitExceeded"
    assert "at most 4 instances" in said


CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://hosting-models/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("AsyncInferenceConfig", {"OutputConfig": {"S3OutputPath": "s3://hosting-models/out"}}),
        ("ExplainerConfig", {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1"}}}}),
        ("ShadowProductionVariants", [{"VariantName": "Shadow", "ModelName": "none"}]),
    ],
)
def test_what_cloche_does_not_do_is_refused_by_name(
    hosting: Hosting, variant: dict[str, Any], member: str, value: Any
) -> None:
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName=unique("config"), ProductionVariants=[variant], **{member: value}
        )
    code, said = refused(error)
    assert code == "ValidationException"
    assert said.startswith(member) and "not supported by Cloche yet" in said


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("ServerlessConfig", {"MemorySizeInMB": 1024, "MaxConcurrency": 1}),
        ("ManagedInstanceScaling", {"Status": "ENABLED"}),
        ("CoreDumpConfig", {"DestinationS3Uri": "s3://a/b"}),
        ("RoutingConfig", {"RoutingStrategy": "PREFIX_AWARE"}),
    ],
)
def test_what_cloche_does_not_do_with_a_variant_is_refused_by_name(
    hosting: Hosting, variant: dict[str, Any], member: str, value: Any
) -> None:
    with pytest.raises(ClientError) as error:
        hosting.config({**variant, member: value})
    code, said = refused(error)
    assert code == "ValidationException"
    assert said.startswith(f"ProductionVariants.1.member.{member}") and "not supported by Cloche yet" in said


@pytest.mark.parametrize("uri", ["https://hosting-models.s3.amazonaws.com/capture", "s3:///capture"])
def test_capture_goes_to_an_address_in_s3(hosting: Hosting, variant: dict[str, Any], uri: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName=unique("config"),
            ProductionVariants=[variant],
            DataCaptureConfig={**CAPTURE, "DestinationS3Uri": uri},
        )
    code, said = refused(error)
    assert (code == "ValidationException" and "DestinationS3Uri" in said) or "destinationS3Uri" in said


def test_capture_of_components_is_refused_by_name(hosting: Hosting) -> None:
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName=unique("config"),
            ExecutionRoleArn=ROLE,
            ProductionVariants=[{"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}],
            DataCaptureConfig=CAPTURE,
        )
    code, said = refused(error)
    assert code == "ValidationException"
    assert said == "DataCaptureConfig (data capture of inference components) is not supported by Cloche yet."


def test_capture_that_is_switched_off_is_kept(hosting: Hosting, variant: dict[str, Any]) -> None:
    name = unique("config")
    off = {**CAPTURE, "EnableCapture": False}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=off
    )
    assert hosting.sagemaker.describe_endpoint_config(EndpointConfigName=name)["DataCaptureConfig"] == off
