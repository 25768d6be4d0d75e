"""Search and its suggestions, through boto3: every operator, nesting, order, pages, and what is refused."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count()


class World:
    """Trial components of one experiment, told apart by a tag of their own."""

    def __init__(self, client: Any) -> None:
        self.sagemaker = client("sagemaker")
        self.metrics = client("sagemaker-metrics")
        self.mark = f"world-{next(_numbers)}"

    def component(self, name: str, **members: Any) -> str:
        full = f"{self.mark}-{name}"
        tags = [{"Key": "world", "Value": self.mark}, *members.pop("Tags", [])]
        made = self.sagemaker.create_trial_component(TrialComponentName=full, Tags=tags, **members)
        arn: str = made["TrialComponentArn"]
        return arn

    def search(self, *filters: tuple[Any, ...], **members: Any) -> dict[str, Any]:
        expression: dict[str, Any] = {
            "Filters": [made(each) for each in [("Tags.world", "Equals", self.mark), *filters]]
        }
        for name in ("SubExpressions", "NestedFilters"):
            if name in members:
                expression[name] = members.pop(name)
        answer: dict[str, Any] = self.sagemaker.search(
            Resource="ExperimentTrialComponent", SearchExpression=expression, **members
        )
        return answer

    def names(self, *filters: tuple[Any, ...], **members: Any) -> list[str]:
        members = {"SortBy": "TrialComponentName", "SortOrder": "Ascending", **members}
        found = self.search(*filters, **members)["Results"]
        return [each["TrialComponent"]["TrialComponentName"].removeprefix(self.mark + "-") for each in found]


def made(each: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("Name", "Operator", "Value"), each, strict=False))


@pytest.fixture(scope="module")
def world(server: Any) -> World:
    world = World(server.client)
    begun = datetime(2026, 11, 20, tzinfo=UTC)
    for place, name in enumerate("abcd"):
        world.component(
            name,
            DisplayName=f"Run-{name}",
            StartTime=begun + timedelta(days=place),
            Parameters={
                "eta": {"NumberValue": place / 10},
                "booster": {"StringValue": "dart" if place % 2 else "gbtree"},
                "SageMaker.InstanceType": {"StringValue": f"ml.m5.{'x' * place}large"},
            },
            InputArtifacts={"train": {"Value": f"s3://data/{name}/train.csv", "MediaType": "text/csv"}},
            Tags=[{"Key": "odd", "Value": "yes"}] if place % 2 else [],
        )
        data = [{"MetricName": "validation:auc", "Timestamp": time.time(), "Value": v} for v in (place, place + 0.5)]
        if name != "d":
            world.metrics.batch_put_metrics(TrialComponentName=f"{world.mark}-{name}", MetricData=data)
    return world


def test_every_operator(world: World) -> None:
    for condition, expected in (
        (("DisplayName", "Equals", "Run-b"), "b"),
        (("DisplayName", None, "Run-b"), "b"),
        (("DisplayName", "NotEquals", "Run-b"), "acd"),
        (("DisplayName", "Contains", "Run"), "abcd"),
        (("DisplayName", "In", "Run-a,Run-d,Run-z"), "ad"),
        (("Parameters.eta", "GreaterThan", "0.1"), "cd"),
        (("Parameters.eta", "GreaterThanOrEqualTo", "0.1"), "bcd"),
        (("Parameters.eta", "LessThan", "0.1"), "a"),
        (("Parameters.eta", "LessThanOrEqualTo", "0.1"), "ab"),
        (("Parameters.eta", "Equals", "0.2"), "c"),
        (("Parameters.eta.NumberValue", "Equals", "0.2"), "c"),
        (("Parameters.booster", "Equals", "dart"), "bd"),
        (("Parameters.SageMaker.InstanceType", "Contains", "xx"), "cd"),
        (("Parameters.nothing", "Exists"), ""),
        (("Parameters.eta", "Exists"), "abcd"),
        (("EndTime", "NotExists"), "abcd"),
        (("StartTime", "GreaterThan", "2026-11-21T12:00:00"), "cd"),
        (("StartTime", "LessThanOrEqualTo", "2026-11-21T00:00:00Z"), "ab"),
        (("InputArtifacts.train.Value", "Contains", "/b/"), "b"),
        (("InputArtifacts.train", "Contains", "/b/"), "b"),
        (("InputArtifacts.train.MediaType", "Equals", "text/csv"), "abcd"),
        (("Tags.odd", "Equals", "yes"), "bd"),
        (("Tags.odd", "NotExists"), "ac"),
        (("Tags.odd", "NotEquals", "yes"), "ac"),
        (("Metrics.validation:auc.max", "GreaterThan", "1"), "bc"),
        (("Metrics.validation:auc.Min", "Equals", "2"), "c"),
        (("Metrics.validation:auc.Count", "Equals", "2"), "abc"),
        (("Metrics.validation:auc.StdDev", "GreaterThan", "0.35"), "abc"),
        (("Metrics.validation:auc", "LessThan", "1"), "a"),
    ):
        filters = tuple(each for each in condition if each is not None)
        if condition[1] is None:
            (named,) = [{"Name": condition[0], "Value": condition[2]}]
            found = world.names(SubExpressions=[{"Filters": [named]}])
        else:
            found = world.names(filters)
        assert "".join(found) == expected, condition


def test_expressions_nest_with_and_and_or(world: World) -> None:
    either = {
        "Operator": "Or",
        "Filters": [made(("DisplayName", "Equals", "Run-a"))],
        "SubExpressions": [
            {"Filters": [made(("Tags.odd", "Exists")), made(("Parameters.eta", "GreaterThan", "0.2"))]},
        ],
    }
    assert world.names(SubExpressions=[either]) == ["a", "d"]


def test_results_carry_artifacts_metrics_tags_and_parents(world: World) -> None:
    sagemaker = world.sagemaker
    name = f"{world.mark}-a"
    sagemaker.create_experiment(ExperimentName=name)
    sagemaker.create_trial(TrialName=name, ExperimentName=name)
    sagemaker.associate_trial_component(TrialComponentName=name, TrialName=name)
    (result,) = world.search(("Parents.ExperimentName", "Equals", name))["Results"]
    found = result["TrialComponent"]
    assert found["Parents"] == [{"TrialName": name, "ExperimentName": name}]
    assert found["InputArtifacts"]["train"]["Value"] == "s3://data/a/train.csv"
    assert {"Key": "world", "Value": world.mark} in found["Tags"]
    assert [each["MetricName"] for each in found["Metrics"]] == ["validation:auc"]
    nested = [
        {
            "NestedPropertyName": "Parents",
            "Filters": [made(("Parents.TrialName", "Equals", name)), made(("Parents.ExperimentName", "Equals", name))],
        }
    ]
    assert world.names(NestedFilters=nested) == ["a"]
    nested[0]["Filters"][1]["Value"] = "another"
    assert world.names(NestedFilters=nested) == []
    trials = sagemaker.search(
        Resource="ExperimentTrial", SearchExpression={"Filters": [made(("ExperimentName", "Equals", name))]}
    )
    (trial,) = [each["Trial"] for each in trials["Results"]]
    assert [each["TrialComponentName"] for each in trial["TrialComponentSummaries"]] == [name]
    found = sagemaker.search(
        Resource="Experiment", SearchExpression={"Filters": [made(("ExperimentName", "Contains", world.mark))]}
    )
    assert [each["Experiment"]["DisplayName"] for each in found["Results"]] == [name]


def test_any_order_with_what_has_no_value_last(world: World) -> None:
    by = {"SortBy": "metrics.validation:auc.max"}
    assert world.names(**by, SortOrder="Ascending") == ["a", "b", "c", "d"]
    assert world.names(**by, SortOrder="Descending") == ["c", "b", "a", "d"]
    assert world.names(SortBy="Parameters.eta", SortOrder="Descending") == ["d", "c", "b", "a"]
    newest_first = world.search()["Results"]
    changed = [each["TrialComponent"]["LastModifiedTime"] for each in newest_first]
    assert changed == sorted(changed, reverse=True)


def test_pages_follow_each_other_and_tokens_belong_to_their_question(world: World) -> None:
    for order in ("Ascending", "Descending"):
        by = {"SortBy": "Metrics.validation:auc.Last", "SortOrder": order}
        whole, pages, token = world.search(**by), [], {}
        assert whole["TotalHits"] == {"Value": 4, "Relation": "EqualTo"}
        while True:
            page = world.search(**by, MaxResults=1, **token)
            pages += page["Results"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert pages == whole["Results"]
    with pytest.raises(ClientError) as error:
        world.search(**token)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_visibility_hides_what_has_the_tag_with_another_value(world: World) -> None:
    assert world.names(VisibilityConditions=[{"Key": "Tags.odd", "Value": "yes"}]) == ["a", "b", "c", "d"]
    assert world.names(VisibilityConditions=[{"Key": "Tags.odd", "Value": "no"}]) == ["a", "c"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (("Nonsense", "Equals", "1"), "Unknown property name: Nonsense"),
        (("Source.Nonsense", "Exists"), "Unknown property name: Source.Nonsense"),
        (("DisplayName", "GreaterThan", "1"), "not supported for text"),
        (("StartTime", "Equals", "yesterday"), "yesterday"),
        (("StartTime", "Contains", "2026"), "only supported for text"),
        (("Parameters.eta", "LessThan", "much"), "number"),
        (("DisplayName", "Equals"), "needs a Value"),
        (("InputArtifacts", "Equals", "x"), "not a single value"),
        (('Parameters."', "Exists"), "quotation mark"),
    ],
)
def test_what_cannot_be_asked_is_refused(world: World, condition: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ClientError) as error:
        world.search(condition)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert words in error.value.response["Error"]["Message"]


def test_limits_of_expressions(world: World) -> None:
    with pytest.raises(ClientError, match="'CONTAINS' operator usage limit of 1 exceeded"):
        world.search(*[("Source.SourceArn", "Contains", "x")] * 2)
    assert world.names(*[("DisplayName", "Contains", "Run")] * 3) == ["a", "b", "c", "d"]
    many = [{"Filters": [made(("DisplayName", "Exists"))] * 20} for _ in range(3)]
    with pytest.raises(ClientError, match="50 conditions"):
        world.search(SubExpressions=many)
    with pytest.raises(ClientError, match="at least one"):
        world.search(SubExpressions=[{"Operator": "Or"}])
    with pytest.raises(ClientError, match="CrossAccount"):
        world.search(CrossAccountFilterOption="CrossAccount")
    with pytest.raises(ClientError, match="cannot be sorted"):
        world.search(SortBy="Parents.TrialName")


def test_nothing_is_found_of_what_cannot_be_made(world: World) -> None:
    assert world.sagemaker.search(Resource="FeatureGroup")["Results"] == []


def test_suggestions_begin_with_the_hint(world: World) -> None:
    def suggested(hint: str) -> list[str]:
        answer = world.sagemaker.get_search_suggestions(
            Resource="ExperimentTrialComponent",
            SuggestionQuery={"PropertyNameQuery": {"PropertyNameHint": hint}},
        )
        return [each["PropertyName"] for each in answer["PropertyNameSuggestions"]]

    assert suggested("trialcomponentn") == ["TrialComponentName"]
    assert {"Parameters.eta", "Parameters.booster"} <= set(suggested("Parameters."))
    assert "Metrics.validation:auc" in suggested("Metrics.v")
    assert "Tags.odd" in suggested("Tags.o")


def test_registry_and_models_are_found_as_sdk_v2_asks(world: World) -> None:
    sagemaker, group = world.sagemaker, f"{world.mark}-group"
    sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=[{"Key": "world", "Value": world.mark}])
    for _ in range(2):
        sagemaker.create_model_package(
            ModelPackageGroupName=group,
            InferenceSpecification={
                "Containers": [{"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            CustomerMetadataProperties={"owner": "ann"},
        )

    def found(resource: str, *filters: tuple[Any, ...], **members: Any) -> list[dict[str, Any]]:
        expression = {"Filters": [made(each) for each in filters]}
        answer = sagemaker.search(Resource=resource, SearchExpression=expression, **members)
        return [each[resource] for each in answer["Results"]]

    (one,) = found("ModelPackageGroup", ("ModelPackageGroupName", "Equals", group))
    assert one["ModelPackageGroupStatus"] == "Completed" and one["Tags"] == [{"Key": "world", "Value": world.mark}]
    versions = found(
        "ModelPackage",
        ("ModelPackageGroupName", "Equals", group),
        ("CustomerMetadataProperties.owner", "Equals", "ann"),
        SortBy="ModelPackageVersion",
        SortOrder="Descending",
    )
    assert [each["ModelPackageVersion"] for each in versions] == [2, 1]
    assert found("ModelPackage", ("ModelPackageGroupName", "Equals", group), ("ModelPackageVersion", "LessThan", "2"))
    pending = ("ModelApprovalStatus", "Equals", "PendingManualApproval")
    assert len(found("ModelPackage", ("ModelPackageName", "Equals", group), pending)) == 2
