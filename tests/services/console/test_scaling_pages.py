"""Auto scaling in the console: what is scaled, by what, and how an endpoint's instances went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_scaled_endpoint(page: Browser, world: Any, endpoint: str, tmp_path: Path) -> None:
    scaling = world.client("application-autoscaling")
    variant = world.client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]["VariantName"]
    about = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**about, MinCapacity=2, MaxCapacity=4)
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    scaling.put_scaling_policy(
        **about,
        PolicyName="<i>load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 70, "PredefinedMetricSpecification": metric},
    )
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 20}
    scaling.put_scaling_policy(
        **about,
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "PercentChangeInCapacity", "StepAdjustments": [step]},
    )
    scaling.put_scheduled_action(
        **about,
        ScheduledActionName="mornings",
        Schedule="cron(0 9 ? * MON-FRI *)",
        Timezone="Europe/Vienna",
        ScalableTargetAction={"MinCapacity": 3},
    )
    page.open(f"{world.server.url}/_cloche/endpoints")
    page.click_link("Auto scaling")
    page.wait_text("SageMakerVariantInvocationsPerInstance at 70")
    shown = page.text("#scaling")
    assert "<i>load" in shown and "from 0: +20 %" in shown
    assert "cron(0 9 ? * MON-FRI *)" in shown and "at least 3" in shown
    page.wait_text("minimum capacity was set to 2")
    page.wait("it was done", lambda: "Successful" in page.text("#scaling .activities"))
    page.resize(1280, 900)
    page.screenshot(tmp_path / "scaling.png")
    page.click_link(about["ResourceId"])
    page.wait_text(f"{variant} between 2 and 4")
    charts = "return [...document.querySelectorAll('[data-chart]')].map(each => each.dataset.chart)"
    chart = next(each for each in map(json.loads, page.run(charts)) if each["title"] == f"scaled, {variant}")
    assert [line["label"] for line in chart["series"]] == ["desired", "actual"]
    assert {line["values"][-1] for line in chart["series"]} == {2.0}
    assert chart["series"][0]["values"][0] is None  # before it was scaled
    page.screenshot(tmp_path / "scaled-endpoint.png")
    scaling.deregister_scalable_target(**about)
