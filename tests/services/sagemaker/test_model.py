"""Models: what can be hosted, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, XGBOOST, Hosting, archive, hosting_of, refused, unique

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model/"


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture
def url(hosting: Hosting) -> str:
    return hosting.put(archive({"xgboost-model": b"not looked at until it is hosted"}))


def test_a_model_is_created_described_listed_and_deleted(hosting: Hosting, url: str) -> None:
    name = unique("model")
    sagemaker = hosting.sagemaker
    created = sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": url, "Environment": {"A": "b"}},
        ExecutionRoleArn=ROLE,
        Tags=[{"Key": "team", "Value": "glass"}],
    )
    assert created["ModelArn"] == ARN + name
    found = sagemaker.describe_model(ModelName=name)
    assert found["PrimaryContainer"] == {
        "Image": XGBOOST,
        "Mode": "SingleModel",
        "ModelDataUrl": url,
        "Environment": {"A": "b"},
    }
    assert (found["ExecutionRoleArn"], found["EnableNetworkIsolation"]) == (ROLE, False)
    assert "VpcConfig" not in found and "Containers" not in found
    assert sagemaker.list_tags(ResourceArn=ARN + name)["Tags"] == [{"Key": "team", "Value": "glass"}]
    listed = sagemaker.list_models(NameContains=name)["Models"]
    assert [each["ModelArn"] for each in listed] == [ARN + name]
    sagemaker.delete_model(ModelName=name)
    with pytest.raises(ClientError) as error:
        sagemaker.describe_model(ModelName=name)
    assert refused(error) == ("ValidationException", f'Could not find model "{ARN}{name}".')


def test_a_name_is_taken_once(hosting: Hosting, url: str) -> None:
    name = hosting.model(url)
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_model(
            ModelName=name, PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": url}, ExecutionRoleArn=ROLE
        )
    assert refused(error) == ("ValidationException", f'Cannot create already existing model "{ARN}{name}".')


def test_an_only_entry_of_containers_is_the_primary_one(hosting: Hosting, url: str) -> None:
    name = unique("model")
    hosting.sagemaker.create_model(
        ModelName=name, Containers=[{"Image": XGBOOST, "ModelDataUrl": url}], ExecutionRoleArn=ROLE
    )
    assert hosting.sagemaker.describe_model(ModelName=name)["Containers"][0]["ModelDataUrl"] == url


@pytest.mark.parametrize(
    "form", ["https://{bucket}.s3.us-east-1.amazonaws.com/{key}", "https://s3-us-east-1.amazonaws.com/{bucket}/{key}"]
)
def test_addresses_over_https_name_the_same_object(hosting: Hosting, url: str, form: str) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    hosting.model(form.format(bucket=bucket, key=key))


@pytest.mark.parametrize("missing", ["s3://hosting-models/none.tar.gz", "s3://no-such-bucket-here/model.tar.gz"])
def test_an_artefact_that_is_not_there(hosting: Hosting, missing: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.model(missing)
    code, said = refused(error)
    assert code == "ValidationException"
    assert said.startswith(f'Could not access model data at {missing}. Please ensure that the role "{ROLE}" exists')
    assert said.endswith('please ensure that the role has "s3:ListBucket" permission.')


def test_a_role_that_is_not_there(hosting: Hosting, url: str) -> None:
    role = "arn:aws:iam::123456789012:role/Nobody"
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_model(
            ModelName=unique("model"),
            PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": url},
            ExecutionRoleArn=role,
        )
    assert refused(error)[1].startswith(f'Could not access model data at {url}. Please ensure that the role "{role}"')


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1/model.tar.gz", "/etc/passwd"])
def test_other_places_are_no_place_for_a_model(hosting: Hosting, url: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.model(url)
    code, said = refused(error)
    assert code == "ValidationException"
    assert f"Value '{url}' at 'primaryContainer.modelDataUrl' failed to satisfy constraint" in said


def test_an_image_nobody_knows(hosting: Hosting, url: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.model(url, image="683313688378.dkr.ecr.us-east-1.amazonaws.com/my-own:1")
    code, said = refused(error)
    assert code == "ValidationException"
    assert "my-own:1" in said and "sagemaker-xgboost" in said


CONTAINER = {"Image": XGBOOST}


@pytest.mark.parametrize(
    ("member", "request_"),
    [
        ("Mode MultiModel", {"PrimaryContainer": {**CONTAINER, "Mode": "MultiModel"}}),
        ("MultiModelConfig", {"PrimaryContainer": {**CONTAINER, "MultiModelConfig": {"ModelCacheSetting": "Enabled"}}}),
        (
            "ModelDataSource.S3DataSource.ManifestS3Uri",
            {
                "PrimaryContainer": {
                    **CONTAINER,
                    "ModelDataSource": {
                        "S3DataSource": {
                            "S3Uri": "s3://a/b/",
                            "S3DataType": "S3Prefix",
                            "CompressionType": "None",
                            "ManifestS3Uri": "s3://a/c",
                        }
                    },
                }
            },
        ),
        ("InferenceExecutionConfig.Mode Direct", {"InferenceExecutionConfig": {"Mode": "Direct"}}),
    ],
)
def test_what_cloche_does_not_do_is_refused_by_name(hosting: Hosting, member: str, request_: dict[str, Any]) -> None:
    request = {"ModelName": unique("model"), "ExecutionRoleArn": ROLE, **request_}
    if "PrimaryContainer" not in request and "Containers" not in request:
        request["PrimaryContainer"] = CONTAINER
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_model(**request)
    code, said = refused(error)
    assert code == "ValidationException"
    assert said.startswith(member) and "not supported by Cloche yet" in said


@pytest.mark.parametrize(
    ("kind", "compression", "end", "words"),
    [
        ("S3Prefix", "Gzip", "/", "CompressionType Gzip is for S3DataType S3Object"),
        ("S3Prefix", "None", "", "the S3Uri of an S3Prefix ends with a slash"),
        ("S3Object", "None", "/", "the S3Uri of an S3Object does not end with a slash"),
        ("S3Prefix", "None", "/nothing/here/", "Could not access model data at s3://hosting-models/"),
        ("S3Object", "None", "/nothing", "Could not access model data at s3://hosting-models/"),
    ],
)
def test_data_sources_that_contradict_themselves_or_are_not_there(
    hosting: Hosting, url: str, kind: str, compression: str, end: str, words: str
) -> None:
    source = {"S3Uri": url + end, "S3DataType": kind, "CompressionType": compression}
    container = {"Image": XGBOOST, "ModelDataSource": {"S3DataSource": source}}
    with pytest.raises(ClientError, match=words) as error:
        hosting.sagemaker.create_model(ModelName=unique("model"), PrimaryContainer=container, ExecutionRoleArn=ROLE)
    assert refused(error)[0] == "ValidationException"
    both = {**container, "ModelDataUrl": url}
    with pytest.raises(ClientError, match="Only one of ModelDataUrl and ModelDataSource"):
        hosting.sagemaker.create_model(ModelName=unique("model"), PrimaryContainer=both, ExecutionRoleArn=ROLE)
