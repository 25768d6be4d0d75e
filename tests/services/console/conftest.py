"""A browser for the module, and a model that is trained and served for the pages to show."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from console_world import BUCKET, IMAGE, ROLE

WAIT_SECONDS_MAX = 120


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("chromium") / "profile")
    yield made
    made.close()


@dataclass
class World:
    """The session's server, as the console's tests speak to it."""

    server: Any

    @property
    def link(self) -> str:
        token = (self.server.data / "keys" / "console.token").read_text().strip()
        return f"{self.server.url}/?token={token}"

    def client(self, service: str) -> Any:
        return self.server.client(service)

    def train(self, name: str, rounds: int, prefix: str = "rows") -> None:
        """Begin a training job of ``rounds`` rounds on synthetic, seeded rows."""
        channels = [
            {
                "ChannelName": channel,
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}/"}},
            }
            for channel in ("train", "validation")
        ]
        hyperparameters = {"objective": "binary:logistic", "num_round": str(rounds), "eval_metric": "auc,logloss"}
        self.client("sagemaker").create_training_job(
            TrainingJobName=name,
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            HyperParameters={**hyperparameters, "max_depth": "3", "eta": "0.02"},
            InputDataConfig=channels,
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/output"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )

    def job(self, name: str) -> dict[str, Any]:
        return dict(self.client("sagemaker").describe_training_job(TrainingJobName=name))


@pytest.fixture(scope="session")
def world(server: Any) -> World:
    made = World(server)
    rows = random.Random(20261125)
    lines = []
    for _ in range(400):
        features = [rows.gauss(0, 1) for _ in range(4)]
        lines.append(",".join(map(str, [int(sum(features) + rows.gauss(0, 1) > 0), *features])))
    s3 = made.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="rows/rows.csv", Body="\n".join(lines).encode())
    return made


@pytest.fixture(scope="session")
def endpoint(world: World) -> str:
    """The name of an endpoint in service."""
    name, sagemaker = "console-served", world.client("sagemaker")
    world.train(name, 20)
    _await(lambda: world.job(name)["TrainingJobStatus"] == "Completed")
    container = {"Image": IMAGE, "ModelDataUrl": world.job(name)["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    capture = {
        "InitialSamplingPercentage": 50,
        "DestinationS3Uri": f"s3://{BUCKET}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=capture)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    _await(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    return name


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go, to be looked at: ``CLOCHE_SCREENSHOTS`` or pytest's own folder."""
    folder = Path(os.environ.get("CLOCHE_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Browser]:
    """The browser, let in by the link; a page that logs an error or violates its policy fails the test."""
    browser.resize(1280, 900)
    browser.wear("light")
    browser.open(world.link)
    browser.complaints()
    yield browser
    complaints = browser.complaints()
    browser.open("about:blank")
    assert complaints == []


def _await(holds: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
