"""An update on its way, on the endpoint's page."""

from __future__ import annotations

import time
from typing import Any

import pytest
from browser import Browser

pytestmark = pytest.mark.slow


def test_an_update_is_seen_with_its_phase_its_time_and_its_share(page: Browser, world: Any, endpoint: str) -> None:
    sagemaker, name = world.client("sagemaker"), "console-deployed"
    for config in (f"{name}-1", f"{name}-2"):
        variant = {
            "VariantName": "All",
            "ModelName": endpoint,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    while sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Creating":
        time.sleep(0.1)
    routing = {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 3600,
    }
    sagemaker.update_endpoint(
        EndpointName=name,
        EndpointConfigName=f"{name}-2",
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )
    page.open(f"{world.server.url}/_cloche/endpoints/{name}")
    page.wait("the watching", lambda: "Baking for 3600 seconds" in page.text("#deployment"))
    runtime = world.client("sagemaker-runtime")
    for _ in range(20):
        runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body="1,2,-0.5,0.25")
    page.wait("the share that was counted", lambda: "10 : 10" in page.text("#deployment"))
    shown = page.text("#deployment")
    assert f"{name}-1 → {name}-2" in shown and "1 of 1" in shown and "50 %" in shown
    assert "59 min" in shown or "1 h" in shown
