"""Tuning jobs in the console, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"


def test_a_tuning_job_is_watched_and_compared(page: Browser, world: Any) -> None:
    name = "console-tuned"
    channels = [
        {
            "ChannelName": channel,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://console-pages/rows/"}},
        }
        for channel in ("train", "validation")
    ]
    world.client("sagemaker").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.001", "MaxValue": "0.5"}],
                "CategoricalParameterRanges": [{"Name": "grow_policy", "Values": ["depthwise", "lossguide"]}],
            },
        },
        TrainingJobDefinition={
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "StaticHyperParameters": {"objective": "binary:logistic", "num_round": "10", "tree_method": "hist"},
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": "s3://console-pages/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    )
    page.open(world.server.url)
    page.press("g", "u")
    page.wait_text(name)
    page.click_link(name)
    page.wait("the end", lambda: page.text(".badge") == "Completed")
    page.wait_text("4 completed", ".facts")
    # The objective by trial and by both hyperparameters, and a line of coordinates for each trial.
    page.wait("charts", lambda: page.run("return document.querySelectorAll('.uplot canvas').length") == 3)
    assert page.run("return document.querySelectorAll('polyline.trial').length") == 4
    assert page.run("return document.querySelectorAll('polyline.best').length") == 1
    best = page.run("return document.querySelector('polyline.best').dataset.key")
    assert page.run("return document.querySelector('.facts a').textContent") == best
    page.click_link(best)
    page.wait_text("_tuning_objective_metric")
