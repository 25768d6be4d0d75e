"""Endpoints with a real model: created, asked, updated under load, rescaled, deleted, and how they fail."""

from __future__ import annotations

import io
import tarfile
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, XGBOOST, Hosting, archive, hosting_of, refused, trained, unique

ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/"


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


def test_an_endpoint_from_creation_to_deletion(hosting: Hosting) -> None:
    packed, answer = trained(1)
    sagemaker = hosting.sagemaker
    model = hosting.model(hosting.put(packed))
    config = hosting.config({"VariantName": "AllTraffic", "ModelName": model})
    name = unique("endpoint")
    assert sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)["EndpointArn"] == ARN + name
    found = hosting.settled(name)
    assert found["EndpointStatus"] == "InService"
    assert "FailureReason" not in found and "LastDeploymentConfig" not in found
    (variant,) = found["ProductionVariants"]
    assert variant["DeployedImages"][0]["SpecifiedImage"].endswith("sagemaker-xgboost:1.7-1")
    assert (variant["CurrentWeight"], variant["DesiredWeight"]) == (1.0, 1.0)
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
    assert hosting.ask(name) == pytest.approx(answer, abs=1e-6)
    with pytest.raises(ClientError) as error:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert refused(error) == ("ValidationException", f'Cannot create already existing endpoint "{ARN}{name}".')
    sagemaker.delete_model(ModelName=model)
    sagemaker.delete_endpoint_config(EndpointConfigName=config)
    assert hosting.ask(name) == pytest.approx(answer, abs=1e-6), "it runs on its snapshot"
    listed = sagemaker.list_endpoints(NameContains=name, StatusEquals="InService")["Endpoints"]
    assert [each["EndpointArn"] for each in listed] == [ARN + name]
    hosting.gone(name)
    with pytest.raises(ClientError) as error:
        sagemaker.delete_endpoint(EndpointName=name)
    assert refused(error) == ("ValidationException", f'Could not find endpoint "{ARN}{name}".')


def test_the_sdks_waiters_come_to_their_end(hosting: Hosting) -> None:
    packed, _ = trained(1)
    name = hosting.endpoint(hosting.put(packed))
    now = {"Delay": 1, "MaxAttempts": 30}
    hosting.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=now)
    hosting.sagemaker.delete_endpoint(EndpointName=name)
    hosting.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=now)


def test_a_configuration_that_is_not_there(hosting: Hosting) -> None:
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_endpoint(EndpointName=unique("endpoint"), EndpointConfigName="none")
    assert refused(error) == (
        "ValidationException",
        'Could not find endpoint configuration "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/none".',
    )


@pytest.mark.slow
def test_an_update_under_load_loses_no_request(hosting: Hosting, client: Callable[..., Any]) -> None:
    (old, said_by_old), (new, said_by_new) = trained(1), trained(3)
    name = hosting.endpoint(hosting.put(old))
    config = hosting.config({"VariantName": "AllTraffic", "ModelName": hosting.model(hosting.put(new))})
    answers: list[float] = []
    trouble: list[Exception] = []
    ending = threading.Event()

    def load() -> None:
        while not ending.is_set():
            try:
                answers.append(hosting.ask(name))
            except Exception as error:
                trouble.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    assert refused(error) == ("ValidationException", f'Cannot update in-progress endpoint "{ARN}{name}".')
    updating = hosting.described(name)
    found = hosting.settled(name)
    while not ending.wait(0.1) and len(answers) < 20:
        pass
    ending.set()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert updating["PendingDeploymentSummary"]["EndpointConfigName"] == config
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", config)
    assert {round(answer, 4) for answer in answers} <= {round(said_by_old, 4), round(said_by_new, 4)}
    assert hosting.ask(name) == pytest.approx(said_by_new, abs=1e-6)
    hosting.gone(name)


@pytest.mark.slow
def test_an_update_that_fails_keeps_the_old_model(hosting: Hosting) -> None:
    packed, answer = trained(1)
    name = hosting.endpoint(hosting.put(packed))
    before = hosting.described(name)["EndpointConfigName"]
    broken = hosting.model(hosting.put(archive({"xgboost-model": b"this is no model"})))
    config = hosting.config({"VariantName": "AllTraffic", "ModelName": broken})
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    found = hosting.settled(name)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", before)
    assert "did not pass the ping health check" in found["FailureReason"]
    assert hosting.ask(name) == pytest.approx(answer, abs=1e-6)
    hosting.gone(name)


def test_variants_share_by_weight_and_weights_can_be_changed(hosting: Hosting) -> None:
    (one, said_by_one), (three, said_by_three) = trained(1), trained(3)
    name = unique("endpoint")
    config = hosting.config(
        {"VariantName": "One", "ModelName": hosting.model(hosting.put(one)), "InitialVariantWeight": 3},
        {"VariantName": "Three", "ModelName": hosting.model(hosting.put(three)), "InitialVariantWeight": 1},
    )
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    hosting.settled(name)

    def shares() -> Counter[str]:
        asked = [
            hosting.runtime.invoke_endpoint(EndpointName=name, Body="0.5,1.0", ContentType="text/csv") for _ in range(8)
        ]
        for answer in asked:
            expected = said_by_one if answer["InvokedProductionVariant"] == "One" else said_by_three
            assert float(answer["Body"].read()) == pytest.approx(expected, abs=1e-6)
        return Counter(answer["InvokedProductionVariant"] for answer in asked)

    assert shares() == {"One": 6, "Three": 2}
    assert hosting.ask(name, TargetVariant="Three") == pytest.approx(said_by_three, abs=1e-6)
    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "One", "DesiredWeight": 0}]
    )
    found = hosting.settled(name)
    assert {each["VariantName"]: each["CurrentWeight"] for each in found["ProductionVariants"]} == {
        "One": 0.0,
        "Three": 1.0,
    }
    assert shares() == {"Three": 8}
    hosting.gone(name)


def test_models_without_an_archive_serve_by_prefix_and_by_object(hosting: Hosting) -> None:
    packed, answer = trained(3)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        file = tar.extractfile("xgboost-model")
        assert file is not None
        content = file.read()
    folder = unique("files")
    hosting.s3.put_object(Bucket="hosting-models", Key=f"{folder}/model/xgboost-model", Body=content)
    variants = []
    for kind, end in (("S3Prefix", ""), ("S3Object", "xgboost-model")):
        source = {"S3Uri": f"s3://hosting-models/{folder}/model/{end}", "S3DataType": kind, "CompressionType": "None"}
        container = {"Image": XGBOOST, "ModelDataSource": {"S3DataSource": source}}
        name = unique("model")
        hosting.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        shown = hosting.sagemaker.describe_model(ModelName=name)["PrimaryContainer"]
        assert shown["ModelDataSource"]["S3DataSource"] == source and "ModelDataUrl" not in shown
        variants.append({"VariantName": kind, "ModelName": name})
    name = unique("endpoint")
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=hosting.config(*variants))
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    for variant in variants:
        assert hosting.ask(name, TargetVariant=variant["VariantName"]) == pytest.approx(answer, abs=1e-6)
    hosting.gone(name)


@pytest.mark.parametrize("member", ["../outside", "/etc/outside"])
def test_a_hostile_archive_fails_the_endpoint_with_a_reason(hosting: Hosting, member: str) -> None:
    url = hosting.put(archive({member: b"x"}))
    name = hosting.endpoint(url)
    found = hosting.described(name)
    assert found["EndpointStatus"] == "Failed"
    assert url in found["FailureReason"] and member in found["FailureReason"]
    with pytest.raises(ClientError) as error:
        hosting.ask(name)
    assert refused(error) == ("ValidationError", f"Endpoint {name} of account 123456789012 not found.")
    hosting.gone(name)


def test_a_model_that_cannot_be_loaded_fails_the_endpoint_and_the_log_says_why(
    hosting: Hosting, client: Callable[..., Any]
) -> None:
    name = hosting.endpoint(hosting.put(archive({"xgboost-model": b"this is no model"})))
    found = hosting.described(name)
    assert (found["EndpointStatus"], found["FailureReason"]) == (
        "Failed",
        "The primary container for production variant AllTraffic did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint.",
    )
    events = client("logs").filter_log_events(
        logGroupName=f"/aws/sagemaker/Endpoints/{name}", logStreamNamePrefix="AllTraffic/"
    )["events"]
    assert any("model" in event["message"] for event in events)
    hosting.gone(name)
