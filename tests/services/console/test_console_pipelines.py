"""A pipeline watched in a real browser: its graph is drawn, and lights up as its steps go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


def test_a_graph_lights_up(page: Browser, world: Any) -> None:
    def train(name: str, script: str, *after: str) -> dict[str, Any]:
        arguments = {
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", script],
            },
            "OutputDataConfig": {"S3OutputPath": "s3://console-pages/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        }
        return {"Name": name, "Type": "Training", "Arguments": arguments, "DependsOn": list(after)}

    steps = [train("first", "true"), train("slow", "sleep 4", "first"), train("breaks", "exit 1", "slow")]
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    client = world.client("sagemaker")
    client.create_pipeline(PipelineName="console-graph", PipelineDefinition=definition, RoleArn=ROLE)
    page.open(world.server.url + "/_cloche/pipelines")
    page.wait_text("console-graph")
    page.click_link("console-graph")
    page.wait("the graph", lambda: page.run("return document.querySelectorAll('.dag .node.waiting').length") == 3)
    page.run("document.querySelector('[hx-post$=\"/start\"]').click()")

    def tone(step: str) -> str:
        found = page.run(f"return document.querySelector('[data-key=\"{step}\"]')?.getAttribute('class') ?? ''")
        return str(found).removeprefix("node ")

    page.wait("a step that runs", lambda: (tone("first"), tone("slow")) == ("good", "moving"))
    assert tone("breaks") == "waiting"
    page.wait("the end", lambda: tone("breaks") == "bad")
    page.wait_text("One or multiple steps failed")
    page.wait_text("Retry")
    assert page.run("return document.querySelector('.dag svg rect').getBoundingClientRect().width") > 50
