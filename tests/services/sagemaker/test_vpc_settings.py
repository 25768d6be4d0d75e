"""``VpcConfig``: kept, shown and inherited, and said in every log to confine nothing."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, hosting_of, trained, unique
from processing_requests import Bench as ProcessingBench
from transform_requests import Transforming
from tuning_requests import TuningBench

from cloche.compute.local.sandbox import bubblewrap

VPC = {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]}
NOTICE = "[cloche] VpcConfig is kept and shown; it does not confine the network"


def test_a_processing_job(server: Any) -> None:
    bench = ProcessingBench(server)
    for number in range(4):  # who stood by for the later ones had an output already
        job = bench.run(f"vpc-kept-{number}", "echo a; echo done", NetworkConfig={"VpcConfig": VPC})
        assert job["NetworkConfig"]["VpcConfig"] == VPC
        told, *said = bench.lines(f"vpc-kept-{number}")
        assert told.startswith(NOTICE)
        assert said == ["a", "done"]
    if bubblewrap() is not None:
        bench.run("vpc-cut", "echo done", NetworkConfig={"VpcConfig": VPC, "EnableNetworkIsolation": True})
        assert bench.lines("vpc-cut") == ["done"]


def test_a_model_its_endpoint_and_its_transform_job(server: Any) -> None:
    hosting = hosting_of(server)
    container = {"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"}
    container["ModelDataUrl"] = hosting.put(trained(1)[0])
    model = unique("vpc")
    hosting.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=ROLE, VpcConfig=VPC)
    assert hosting.sagemaker.describe_model(ModelName=model)["VpcConfig"] == VPC
    variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    hosting.sagemaker.create_endpoint_config(EndpointConfigName=model, ProductionVariants=[variant], VpcConfig=VPC)
    assert hosting.sagemaker.describe_endpoint_config(EndpointConfigName=model)["VpcConfig"] == VPC
    bench = Transforming(hosting, server)
    job = bench.run(model, bench.put({"rows.csv": b"0.5,1.0\n"}))
    assert job["TransformJobStatus"] == "Completed", job
    assert bench.lines(job["TransformJobName"])[0].startswith(NOTICE)
    wrong = {**VPC, "Subnets": VPC["SecurityGroupIds"]}
    with pytest.raises(ClientError, match=r"VpcConfig\.Subnets has 'sg-"):
        hosting.sagemaker.create_model(ModelName=unique("vpc"), PrimaryContainer=container, VpcConfig=wrong)
    with pytest.raises(ClientError, match=r"VpcConfig\.Subnets has 'sg-"):
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName=unique("vpc"), ProductionVariants=[variant], VpcConfig=wrong
        )


def test_the_trials_of_a_tuning_job_have_what_their_definition_says(server: Any) -> None:
    bench = TuningBench(server)
    name = unique("vpc")
    bench.run(name, bench.config(jobs=1), TrainingJobDefinition=bench.definition(VpcConfig=VPC))
    (trial,) = bench.trials(name)
    assert bench.training.describe(trial["TrainingJobName"])["VpcConfig"] == VPC
    assert bench.training.lines(trial["TrainingJobName"])[0].startswith(NOTICE)
