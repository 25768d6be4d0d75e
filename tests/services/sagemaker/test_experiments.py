"""Experiments, trials and trial components, through boto3."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count()


def unique(word: str) -> str:
    return f"tried-{word}-{next(_numbers)}"


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture
def sagemaker(client: Any) -> Any:
    return client("sagemaker")


@pytest.fixture
def experiment(sagemaker: Any) -> str:
    name = unique("exp")
    sagemaker.create_experiment(
        ExperimentName=name, Description="which depth", Tags=[{"Key": "team", "Value": "glass"}]
    )
    return name


@pytest.fixture
def trial(sagemaker: Any, experiment: str) -> str:
    name = unique("trial")
    sagemaker.create_trial(TrialName=name, ExperimentName=experiment)
    return name


def component(sagemaker: Any, **members: Any) -> str:
    name = unique("component")
    sagemaker.create_trial_component(TrialComponentName=name, **members)
    return name


def test_names_are_displayed_where_nothing_else_was_said(sagemaker: Any, experiment: str, trial: str) -> None:
    assert sagemaker.describe_experiment(ExperimentName=experiment)["DisplayName"] == experiment
    sagemaker.update_experiment(ExperimentName=experiment, DisplayName="Depths", Description="")
    found = sagemaker.describe_experiment(ExperimentName=experiment)
    assert (found["DisplayName"], found["Description"]) == ("Depths", "")
    described = sagemaker.describe_trial(TrialName=trial)
    assert (described["ExperimentName"], described["DisplayName"]) == (experiment, trial)


def test_a_name_that_is_taken_is_refused_in_the_words_sdks_look_for(sagemaker: Any, experiment: str) -> None:
    code, message = refused(sagemaker.create_experiment, ExperimentName=experiment)
    assert code == "ValidationException"
    assert "already exists" in message and "names must be unique within an AWS account" in message


def test_what_is_not_there_is_not_found(sagemaker: Any, trial: str) -> None:
    for call, members in (
        (sagemaker.describe_experiment, {"ExperimentName": "no"}),
        (sagemaker.create_trial, {"TrialName": unique("t"), "ExperimentName": "no"}),
        (sagemaker.list_trials, {"ExperimentName": "no"}),
        (sagemaker.list_trial_components, {"TrialName": "no"}),
        (sagemaker.associate_trial_component, {"TrialComponentName": "no", "TrialName": trial}),
        (sagemaker.delete_trial_component, {"TrialComponentName": "no"}),
    ):
        assert refused(call, **members)[0] == "ResourceNotFound"


def test_a_component_keeps_parameters_artifacts_status_and_times(sagemaker: Any) -> None:
    begun = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
    given = {
        "DisplayName": "Training",
        "Status": {"PrimaryStatus": "InProgress", "Message": "at it"},
        "StartTime": begun,
        "Parameters": {"eta": {"NumberValue": 0.1}, "booster": {"StringValue": "gbtree"}},
        "InputArtifacts": {"train": {"Value": "s3://data/train", "MediaType": "text/csv"}},
    }
    name = component(sagemaker, **given)
    found = sagemaker.describe_trial_component(TrialComponentName=name)
    assert {key: found[key] for key in given} == given
    assert found["Metrics"] == [] and "EndTime" not in found
    sagemaker.update_trial_component(
        TrialComponentName=name,
        Status={"PrimaryStatus": "Completed"},
        EndTime=begun,
        Parameters={"eta": {"NumberValue": 0.2}, "depth": {"NumberValue": 3}},
        ParametersToRemove=["booster"],
        OutputArtifacts={"model": {"Value": "s3://models/one"}},
        InputArtifactsToRemove=["train"],
    )
    found = sagemaker.describe_trial_component(TrialComponentName=found["TrialComponentArn"])
    assert found["Parameters"] == {"eta": {"NumberValue": 0.2}, "depth": {"NumberValue": 3.0}}
    assert (found["InputArtifacts"], found["OutputArtifacts"]) == ({}, {"model": {"Value": "s3://models/one"}})
    assert (found["Status"], found["EndTime"]) == ({"PrimaryStatus": "Completed"}, begun)


def test_a_parameter_is_a_number_or_text(sagemaker: Any) -> None:
    name = unique("component")
    for value in ({}, {"NumberValue": 1.0, "StringValue": "one"}):
        code, message = refused(sagemaker.create_trial_component, TrialComponentName=name, Parameters={"eta": value})
        assert code == "ValidationException" and "eta" in message


def test_updates_cannot_grow_a_component_beyond_what_it_may_hold(sagemaker: Any) -> None:
    name = component(sagemaker, Parameters={f"p{n}": {"NumberValue": n} for n in range(300)})
    code, message = refused(
        sagemaker.update_trial_component, TrialComponentName=name, Parameters={"one": {"NumberValue": 1}}
    )
    assert code == "ValidationException" and "300" in message
    sagemaker.update_trial_component(
        TrialComponentName=name, Parameters={"one": {"NumberValue": 1}}, ParametersToRemove=["p0"]
    )


def test_components_join_trials_and_leave_them(sagemaker: Any, experiment: str, trial: str) -> None:
    first, second = component(sagemaker), component(sagemaker)
    for name in (first, second, first):
        sagemaker.associate_trial_component(TrialComponentName=name, TrialName=trial)

    def listed(**by: str) -> list[str]:
        answer = sagemaker.list_trial_components(SortBy="Name", SortOrder="Ascending", **by)
        return [each["TrialComponentName"] for each in answer["TrialComponentSummaries"]]

    assert listed(TrialName=trial) == listed(ExperimentName=experiment) == [first, second]
    trials = sagemaker.list_trials(TrialComponentName=first)["TrialSummaries"]
    assert [each["TrialName"] for each in trials] == [trial]
    code, message = refused(sagemaker.delete_trial_component, TrialComponentName=first)
    assert code == "ValidationException" and message.endswith("is linked to 1 or more trials and cannot be deleted.")
    assert refused(sagemaker.delete_trial, TrialName=trial)[0] == "ValidationException"
    assert refused(sagemaker.delete_experiment, ExperimentName=experiment)[0] == "ValidationException"
    for name in (first, second):
        sagemaker.disassociate_trial_component(TrialComponentName=name, TrialName=trial)
        sagemaker.delete_trial_component(TrialComponentName=name)
    again = {"TrialComponentName": component(sagemaker), "TrialName": trial}
    assert refused(sagemaker.disassociate_trial_component, **again)[0] == "ResourceNotFound"
    sagemaker.delete_trial(TrialName=trial)
    sagemaker.delete_experiment(ExperimentName=experiment)
    assert refused(sagemaker.describe_experiment, ExperimentName=experiment)[0] == "ResourceNotFound"


def test_components_are_found_whatever_the_case_of_their_name(sagemaker: Any) -> None:
    name = component(sagemaker)
    assert sagemaker.describe_trial_component(TrialComponentName=name.upper())["TrialComponentName"] == name
