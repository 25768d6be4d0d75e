"""A picture of lineage: whatever the graph, circles included, every entity once and nothing above its sources."""

from __future__ import annotations

import random

from cloche.console.experiments import chart_of, columns_of, value_of
from cloche.console.lineage import picture


def arn(number: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:artifact/{number:032x}"


def test_graphs_with_circles_are_drawn() -> None:
    for seed in range(30):
        dice = random.Random(seed)
        count = dice.randrange(2, 25)
        vertices = [{"Arn": arn(n), "Type": "DataSet", "LineageType": "Artifact"} for n in range(count)]
        pairs = {(dice.randrange(count), dice.randrange(count)) for _ in range(count * 2)}
        edges = [{"SourceArn": arn(a), "DestinationArn": arn(b)} for a, b in pairs if a != b]
        found = picture(arn(0), vertices, edges, {})
        assert found is not None
        assert sorted(node.name for node in found.nodes) == sorted(arn(n) for n in range(count))
        assert len(found.edges) <= len(edges)


def test_a_lonely_thing_has_no_picture_and_labels_end_as_addresses_do() -> None:
    one = {"Arn": arn(1), "Type": "Model", "LineageType": "Artifact"}
    assert picture(arn(1), [one], [], {}) is None
    address = "s3://a-bucket-of-a-long-name/and/a/deep/key/model.tar.gz"
    edges = [{"SourceArn": arn(1), "DestinationArn": arn(0)}]
    found = picture(arn(0), [one], edges, {arn(1): address})
    assert found is not None
    labels = {node.name: node.label for node in found.nodes}
    assert labels[arn(1)].startswith("…") and labels[arn(1)].endswith("model.tar.gz")


def test_lines_of_different_steps_share_an_axis() -> None:
    chart = chart_of("loss", {"a": {0: 1.0, 2: 0.5}, "b": {1: 3.0}})
    assert chart["x"] == [0, 1, 2]
    assert [line["values"] for line in chart["series"]] == [[1.0, None, 0.5], [None, 3.0, None]]


def test_parameters_that_differ_come_first() -> None:
    runs = [
        {"Parameters": {"same": {"NumberValue": 1}, "eta": {"NumberValue": eta}}, "Metrics": [{"MetricName": "auc"}]}
        for eta in (0.1, 0.2)
    ]
    assert columns_of(runs) == (["eta", "same"], ["auc"])
    assert [value_of(each) for each in ({"NumberValue": 0.1}, {"StringValue": "x"}, None)] == ["0.1", "x", ""]
