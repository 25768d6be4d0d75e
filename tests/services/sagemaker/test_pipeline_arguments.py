"""Arguments that the API would not take: the step fails in the API's words, and never for a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_requests import PipelineBench, get

NUMBER = [{"Name": "Number", "Type": "Integer", "DefaultValue": 5}]


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


EARLY: list[tuple[dict[str, Any], str]] = [
    (
        {"AlgorithmSpecification": {"TrainingInputMode": "SlowFile"}},
        "Unable to parse pipeline definition. Model Validation failed: Value 'SlowFile' for 'TrainingInputMode' failed "
        "to satisfy enum value set: [Pipe, File, FastFile] (step train)",
    ),
    ({"InputDataConfig": {"ChannelName": "x"}}, "Expecting start of Json Array. (step train)"),
    ({"InputDataConfig": [["x"]]}, "Expecting start of Json Object. (step train)"),
    ({"HyperParameters": ["a"]}, "Expecting start of Json Object."),
    ({"ResourceConfig": "none"}, "Expecting start of Json Object."),
    ({"ResourceConfig": {"InstanceCount": "two"}}, "Model Validation failed: 'two' for 'TrainingInstanceCount'"),
    ({"EnableNetworkIsolation": "yes"}, "Model Validation failed: 'yes' for 'Boolean'"),
    ({"HyperParameters": {"num_round": 5}}, "Model Validation failed: 5 for 'HyperParameterValue'"),
]


@pytest.mark.parametrize("number", range(len(EARLY)))
def test_what_can_be_seen_before_anything_runs_is_refused_at_once(bench: PipelineBench, number: int) -> None:
    arguments, said = EARLY[number]
    with pytest.raises(ClientError) as caught:
        bench.pipeline(f"early-{number}", bench.training("train", Arguments=arguments))
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert said in error["Message"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"HyperParameters": {"num_round": get("Parameters.Number")}}, "yperParameters"),
    ({"InputDataConfig": get("Parameters.Number")}, "nputDataConfig"),
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
