"""Artifacts, actions, contexts, associations and questions about them, through boto3."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count()


def unique(word: str) -> str:
    return f"line-{word}-{next(_numbers)}"


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture
def sagemaker(client: Any) -> Any:
    return client("sagemaker")


def artifact(sagemaker: Any, kind: str = "DataSet", uri: str = "", **members: Any) -> str:
    source = {"SourceUri": uri or f"s3://lineage/{unique('data')}"}
    arn: str = sagemaker.create_artifact(Source=source, ArtifactType=kind, **members)["ArtifactArn"]
    return arn


def action(sagemaker: Any, kind: str = "ModelDeployment") -> str:
    name = unique("action")
    made = sagemaker.create_action(ActionName=name, ActionType=kind, Source={"SourceUri": "arn:x"}, Status="InProgress")
    arn: str = made["ActionArn"]
    return arn


def context(sagemaker: Any, kind: str = "Endpoint") -> str:
    made = sagemaker.create_context(ContextName=unique("ctx"), ContextType=kind, Source={"SourceUri": "arn:y"})
    arn: str = made["ContextArn"]
    return arn


def component(sagemaker: Any) -> str:
    arn: str = sagemaker.create_trial_component(TrialComponentName=unique("step"))["TrialComponentArn"]
    return arn


def test_an_artifact_is_its_source(sagemaker: Any) -> None:
    uri = f"s3://lineage/{unique('once')}"
    versions = [{"SourceIdType": "S3ETag", "Value": "abc"}]
    arn = artifact(sagemaker, uri=uri, ArtifactName="data", Properties={"rows": "10"})
    code, message = refused(sagemaker.create_artifact, Source={"SourceUri": uri}, ArtifactType="Model")
    assert code == "ValidationException" and "already exists" in message
    source = {"SourceUri": uri, "SourceTypes": versions}
    other = sagemaker.create_artifact(Source=source, ArtifactType="DataSet")["ArtifactArn"]
    assert other != arn
    listed = sagemaker.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
    assert {each["ArtifactArn"] for each in listed} == {arn, other}
    found = sagemaker.describe_artifact(ArtifactArn=arn)
    assert (found["ArtifactName"], found["Source"]) == ("data", {"SourceUri": uri})
    assert found["LineageGroupArn"].endswith("lineage-group/sagemaker-default-lineage-group")
    sagemaker.update_artifact(ArtifactArn=arn, Properties={"columns": "3"}, PropertiesToRemove=["rows"])
    assert sagemaker.describe_artifact(ArtifactArn=arn)["Properties"] == {"columns": "3"}
    assert sagemaker.delete_artifact(Source=source)["ArtifactArn"] == other
    sagemaker.delete_artifact(ArtifactArn=arn)
    assert refused(sagemaker.describe_artifact, ArtifactArn=arn)[0] == "ResourceNotFound"
    assert refused(sagemaker.delete_artifact)[0] == "ValidationException"


def test_actions_and_contexts_are_kept_and_changed(sagemaker: Any) -> None:
    name = action(sagemaker).rpartition("/")[2]
    sagemaker.update_action(ActionName=name, Status="Completed", Properties={"a": "1", "b": "2"})
    sagemaker.update_action(ActionName=name, PropertiesToRemove=["a"])
    found = sagemaker.describe_action(ActionName=name)
    assert (found["Status"], found["Properties"], found["Source"]) == ("Completed", {"b": "2"}, {"SourceUri": "arn:x"})
    name = context(sagemaker).rpartition("/")[2]
    sagemaker.update_context(ContextName=name, Description="the endpoint")
    assert sagemaker.describe_context(ContextName=name)["Description"] == "the endpoint"
    (listed,) = [
        each for each in sagemaker.list_contexts(SourceUri="arn:y")["ContextSummaries"] if each["ContextName"] == name
    ]
    assert listed["ContextType"] == "Endpoint"


def test_associations_are_one_of_each_pair(sagemaker: Any) -> None:
    data, step = artifact(sagemaker), component(sagemaker)
    ends = {"SourceArn": data, "DestinationArn": step}
    sagemaker.add_association(**ends, AssociationType="ContributedTo")
    code, message = refused(sagemaker.add_association, **ends)
    assert code == "ValidationException" and "already exists" in message
    assert refused(sagemaker.delete_artifact, ArtifactArn=data)[0] == "ValidationException"
    (found,) = sagemaker.list_associations(DestinationArn=step)["AssociationSummaries"]
    assert (found["SourceArn"], found["SourceType"], found["AssociationType"]) == (data, "DataSet", "ContributedTo")
    assert found["DestinationName"] == step.rpartition("/")[2] and "SourceName" not in found
    sagemaker.delete_association(**ends)
    assert refused(sagemaker.delete_association, **ends)[0] == "ResourceNotFound"
    sagemaker.delete_artifact(ArtifactArn=data)


def test_what_cannot_be_associated(sagemaker: Any) -> None:
    data, step = artifact(sagemaker), component(sagemaker)
    for source, destination, code in (
        (data, data, "ValidationException"),
        (step, component(sagemaker), "ValidationException"),
        (data, step + "-not", "ResourceNotFound"),
        (data.replace("123456789012", "210987654321"), step, "ResourceNotFound"),
    ):
        assert refused(sagemaker.add_association, SourceArn=source, DestinationArn=destination)[0] == code


def test_lists_of_associations_filter_by_type_or_kind(sagemaker: Any) -> None:
    model, deployment, endpoint = artifact(sagemaker, "Model"), action(sagemaker), context(sagemaker)
    sagemaker.add_association(SourceArn=model, DestinationArn=deployment, AssociationType="ContributedTo")
    sagemaker.add_association(SourceArn=deployment, DestinationArn=endpoint, AssociationType="AssociatedWith")
    for by in ("ModelDeployment", "Action"):
        (found,) = sagemaker.list_associations(SourceArn=model, DestinationType=by)["AssociationSummaries"]
        assert found["DestinationArn"] == deployment
    assert sagemaker.list_associations(SourceArn=model, DestinationType="Context")["AssociationSummaries"] == []
    (found,) = sagemaker.list_associations(SourceArn=deployment, AssociationType="AssociatedWith")[
        "AssociationSummaries"
    ]
    assert found["DestinationType"] == "Endpoint"


def test_lists_of_associations_page(sagemaker: Any) -> None:
    step = component(sagemaker)
    inputs = [artifact(sagemaker) for _ in range(5)]
    for each in inputs:
        sagemaker.add_association(SourceArn=each, DestinationArn=step)
    for order in ("SourceArn", "CreationTime"):
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = sagemaker.list_associations(
                DestinationArn=step, SortBy=order, SortOrder="Ascending", MaxResults=2, **token
            )
            found += [each["SourceArn"] for each in page["AssociationSummaries"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert found == (sorted(inputs) if order == "SourceArn" else inputs)


@pytest.fixture
def graph(sagemaker: Any) -> dict[str, str]:
    """data → prepare → features → train → model → deployment → endpoint, and an image that both steps use."""
    arns = {
        "data": artifact(sagemaker, Properties={"owner": "ann"}),
        "prepare": component(sagemaker),
        "features": artifact(sagemaker),
        "image": artifact(sagemaker, "Image"),
        "train": component(sagemaker),
        "model": artifact(sagemaker, "Model"),
        "deployment": action(sagemaker),
        "endpoint": context(sagemaker),
    }
    for source, destination in (
        ("data", "prepare"),
        ("image", "prepare"),
        ("prepare", "features"),
        ("features", "train"),
        ("image", "train"),
        ("train", "model"),
        ("model", "deployment"),
        ("deployment", "endpoint"),
    ):
        kind = "Produced" if source in ("prepare", "train") else "ContributedTo"
        sagemaker.add_association(SourceArn=arns[source], DestinationArn=arns[destination], AssociationType=kind)
    return arns


def asked(sagemaker: Any, graph: dict[str, str], start: str, direction: str, **members: Any) -> set[str]:
    names = {arn: name for name, arn in graph.items()}
    answer = sagemaker.query_lineage(StartArns=[graph[start]], Direction=direction, **members)
    return {names[each["Arn"]] for each in answer["Vertices"]}


def test_questions_go_up_and_down_and_so_deep(sagemaker: Any, graph: dict[str, str]) -> None:
    above = {"deployment", "model", "train", "features", "image", "prepare", "data"}
    assert asked(sagemaker, graph, "endpoint", "Ascendants") == above
    assert asked(sagemaker, graph, "endpoint", "Ascendants", MaxDepth=3) == {"deployment", "model", "train"}
    assert asked(sagemaker, graph, "features", "Descendants") == {"train", "model", "deployment", "endpoint"}
    both = {"data", "image", "prepare", "train", "model", "deployment", "endpoint"}
    assert asked(sagemaker, graph, "features", "Both") == both
    assert asked(sagemaker, graph, "endpoint", "Descendants") == set()


def test_filters_of_questions(sagemaker: Any, graph: dict[str, str]) -> None:
    now = datetime.now(UTC)
    for filters, expected in (
        ({"Types": ["DataSet"]}, {"data", "features"}),
        ({"Types": ["DataSet", "Image"], "LineageTypes": ["Artifact"]}, {"data", "features", "image"}),
        ({"LineageTypes": ["TrialComponent"]}, {"prepare", "train"}),
        ({"Properties": {"owner": "ann", "other": "x"}}, {"data"}),
        ({"CreatedAfter": now + timedelta(hours=1)}, set()),
        ({"CreatedBefore": now - timedelta(hours=1)}, set()),
        ({"ModifiedAfter": now - timedelta(hours=1), "Types": ["Model"]}, {"model"}),
        ({"ModifiedBefore": now + timedelta(hours=1), "Types": ["Model"]}, {"model"}),
    ):
        assert asked(sagemaker, graph, "endpoint", "Ascendants", Filters=filters) == expected, filters


def test_edges_bring_what_lies_on_the_way(sagemaker: Any, graph: dict[str, str]) -> None:
    answer = sagemaker.query_lineage(
        StartArns=[graph["model"]],
        Direction="Ascendants",
        IncludeEdges=True,
        Filters={"Properties": {"owner": "ann"}},
    )
    names = {arn: name for name, arn in graph.items()}
    assert {names[each["Arn"]] for each in answer["Vertices"]} == {"model", "train", "features", "prepare", "data"}
    edges = {(names[each["SourceArn"]], names[each["DestinationArn"]]) for each in answer["Edges"]}
    assert edges == {("train", "model"), ("features", "train"), ("prepare", "features"), ("data", "prepare")}


def test_answers_page_without_loss(sagemaker: Any, graph: dict[str, str]) -> None:
    question = {"StartArns": [graph["endpoint"]], "Direction": "Ascendants", "IncludeEdges": True}
    whole = sagemaker.query_lineage(**question)
    vertices, edges, token = [], [], {}
    while True:
        page = sagemaker.query_lineage(**question, MaxResults=2, **token)
        vertices += page["Vertices"]
        edges += page["Edges"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert vertices == whole["Vertices"]
    assert sorted(map(str, edges)) == sorted(map(str, whole["Edges"])) and len(edges) == 8


def test_cycles_end(sagemaker: Any) -> None:
    first, second = artifact(sagemaker), action(sagemaker)
    sagemaker.add_association(SourceArn=first, DestinationArn=second)
    sagemaker.add_association(SourceArn=second, DestinationArn=first)
    answer = sagemaker.query_lineage(StartArns=[first], Direction="Both", IncludeEdges=True)
    assert {each["Arn"] for each in answer["Vertices"]} == {first, second}
    assert len(answer["Edges"]) == 2


def test_questions_without_a_start_look_at_all(sagemaker: Any) -> None:
    arn = artifact(sagemaker, Properties={"needle": "haystack"})
    answer = sagemaker.query_lineage(Filters={"Properties": {"needle": "haystack"}})
    assert [each["Arn"] for each in answer["Vertices"]] == [arn]
    start = ["arn:aws:sagemaker:us-east-1:123456789012:artifact/none"]
    assert refused(sagemaker.query_lineage, StartArns=start)[0] == "ResourceNotFound"


def test_the_group_that_is_always_there(sagemaker: Any) -> None:
    (group,) = sagemaker.list_lineage_groups()["LineageGroupSummaries"]
    described = sagemaker.describe_lineage_group(LineageGroupName=group["LineageGroupName"])
    assert described["LineageGroupArn"] == group["LineageGroupArn"]
    assert "ResourcePolicy" not in sagemaker.get_lineage_group_policy(LineageGroupName=group["LineageGroupName"])
    assert refused(sagemaker.describe_lineage_group, LineageGroupName="other")[0] == "ResourceNotFound"
