"""Arguments that the API would not take: the step fails in the API's words, and never for a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_requests import PipelineBench, get

NUMBER = [{"Name": "Number", "Type": "Integer", "DefaultValue": 5}]


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"HyperParameters": {"num_round": get("Parameters.Number")}}, "yperParameters"),
    ({"HyperParameters": ["a"]}, "yperParameters"),
    ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": "two"}}, "ResourceConfig"),
    ({"ResourceConfig": "none"}, "esourceConfig"),
    ({"InputDataConfig": {"ChannelName": "x"}}, "nputDataConfig"),
    ({"EnableNetworkIsolation": "yes"}, "nableNetworkIsolation"),
    ({"OutputDataConfig": {}}, "utputDataConfig"),
    ({"OutputDataConfig": None}, "utputDataConfig"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_arguments_of_a_wrong_form_are_refused_in_the_apis_words(bench: PipelineBench, number: int) -> None:
    arguments, said = BAD[number]
    step = bench.training("train", Arguments=arguments)
    arn, ended = bench.run_pipeline(f"wrong-form-{number}", step, parameters=NUMBER)
    assert ended["PipelineExecutionStatus"] == "Failed"
    reason = bench.step(arn, "train")["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: "), reason
    assert said in reason
