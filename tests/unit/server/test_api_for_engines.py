"""Engines act through the API: as their role, with what no client can send, refused as a client would be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.engines.identity import EXECUTION_ROLE, EXECUTION_ROLE_PATH
from cloche.foundation.api import Behalf, Refused
from cloche.foundation.errors import Broken
from cloche.foundation.settings import Settings
from cloche.server.building import Wiring, build
from cloche.server.directory import Layout

REGION = "us-east-1"
TUNING = f"arn:aws:sagemaker:{REGION}:000000000000:hyper-parameter-tuning-job/t"


@pytest.fixture
def wiring(tmp_path: Path) -> Iterator[Wiring]:
    """All made and the loop running, but nothing that goes on by itself."""
    Layout(tmp_path / "data").prepare()
    made = build(Settings(data=tmp_path / "data", sandbox="process"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made.perform.bind(loop)
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    made.close()


def role_of(wiring: Wiring) -> Behalf:
    account = wiring.parts.identity.account
    return Behalf(account, REGION, f"arn:aws:iam::{account}:role{EXECUTION_ROLE_PATH}{EXECUTION_ROLE}", "tuning")


def test_what_is_made_belongs_to_the_account_and_keeps_its_origin(wiring: Wiring) -> None:
    behalf = role_of(wiring)
    api = wiring.api
    api.call(Behalf(behalf.account, REGION), "s3", "CreateBucket", {"Bucket": "out"})
    request = {
        "TrainingJobName": "t-001",
        "RoleArn": behalf.role,
        "AlgorithmSpecification": {
            "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "TrainingInputMode": "File",
        },
        "HyperParameters": {"num_round": "1"},
        "OutputDataConfig": {"S3OutputPath": "s3://out/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    api.call(behalf, "sagemaker", "CreateTrainingJob", request, {"TuningJobArn": TUNING})
    shown = api.call(behalf, "sagemaker", "DescribeTrainingJob", {"TrainingJobName": "t-001"})
    assert (shown["TuningJobArn"], shown["RoleArn"]) == (TUNING, behalf.role)
    who = api.call(behalf, "sts", "GetCallerIdentity", {})
    assert who["Arn"] == f"arn:aws:sts::{behalf.account}:assumed-role/{EXECUTION_ROLE}/tuning"


def test_refusals_are_the_apis_own(wiring: Wiring) -> None:
    behalf = role_of(wiring)
    with pytest.raises(Refused) as missing:
        wiring.api.call(behalf, "sagemaker", "DescribeTrainingJob", {"TrainingJobName": "none"})
    assert (missing.value.code, missing.value.message) == ("ValidationException", "Requested resource not found.")
    with pytest.raises(Refused) as invalid:
        wiring.api.call(behalf, "sagemaker", "DescribeTrainingJob", {"TrainingJobName": "-"})
    assert invalid.value.code == "ValidationException"
    nobody = Behalf(behalf.account, REGION, f"arn:aws:iam::{behalf.account}:role/nobody")
    with pytest.raises(Refused) as denied:
        wiring.api.call(nobody, "sagemaker", "ListModels", {})
    assert denied.value.code == "AccessDeniedException"


def test_nobody_waits_for_a_server_that_ends(wiring: Wiring) -> None:
    wiring.perform.unbind()
    with pytest.raises(Broken):
        wiring.api.call(role_of(wiring), "sagemaker", "ListModels", {})
