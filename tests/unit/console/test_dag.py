"""A picture of a pipeline: every step below all that it waits for, none upon another, every edge there."""

from __future__ import annotations

import itertools
import json
import random
import re

from cloche.console.dag import DRAWN_MAX, HEIGHT, WIDTH, picture_of
from cloche.console.pipelines import page_of
from cloche.engines.pipelines import Pipelines


def graph(steps: int, seed: int = 1) -> str:
    dice = random.Random(seed)
    names = [f"step-{number}" for number in range(steps)]
    made = [
        {"Name": name, "Type": "Training", "Arguments": {}, "DependsOn": [o for o in names[:n] if dice.random() < 0.2]}
        for n, name in enumerate(names)
    ]
    return json.dumps({"Version": "2020-12-01", "Steps": made})


def passed(path: str) -> list[tuple[int, int]]:
    """Where a line goes straight past a rank: x, and y of the rank's top."""
    return [(int(x), int(bottom) - HEIGHT) for x, bottom in re.findall(r"(\d+),\d+ V(\d+)", path)]


def test_lines_past_a_step_go_beside_it() -> None:
    names = ["a", "b", "c"]
    steps = [{"Name": n, "Type": "Training", "Arguments": {}, "DependsOn": names[:i]} for i, n in enumerate(names)]
    picture = picture_of(Pipelines.check(json.dumps({"Version": "2020-12-01", "Steps": steps})))
    assert picture is not None
    _, b, _ = picture.nodes
    ((x, y),) = [place for edge in picture.edges for place in passed(edge.path)]
    assert y == b.y and not b.x <= x <= b.x + WIDTH
    assert sum("V" in edge.path for edge in picture.edges) == 1


def test_steps_stand_below_what_they_wait_for_and_beside_each_other() -> None:
    for seed in range(20):
        found = Pipelines.check(graph(25, seed))
        picture = picture_of(found)
        assert picture is not None
        at = {node.name: node for node in picture.nodes}
        assert len(at) == 25
        for name in found.order:
            assert all(at[other].y + HEIGHT < at[name].y for other in found.waits_for(name))
        assert len(picture.edges) == sum(len(found.waits_for(name)) for name in found.order)
        places = sorted((node.y, node.x) for node in picture.nodes)
        for (y1, x1), (y2, x2) in itertools.pairwise(places):
            assert y1 < y2 or x1 + WIDTH < x2
        for edge in picture.edges:
            for x, y in passed(edge.path):
                assert not any(node.x <= x <= node.x + WIDTH for node in picture.nodes if node.y == y), "behind a step"
        assert all(n.x >= 0 and n.x + WIDTH <= picture.width and n.y + HEIGHT <= picture.height for n in picture.nodes)


def test_what_is_too_large_to_look_at_is_not_drawn() -> None:
    chain = [{"Name": f"s{n}", "Type": "Training", "Arguments": {}} for n in range(DRAWN_MAX + 1)]
    assert picture_of(Pipelines.check(json.dumps({"Version": "2020-12-01", "Steps": chain}))) is None
    names = [f"s{n}" for n in range(60)]
    tangle = [{"Name": s, "Type": "Training", "Arguments": {}, "DependsOn": names[:n]} for n, s in enumerate(names)]
    assert picture_of(Pipelines.check(json.dumps({"Version": "2020-12-01", "Steps": tangle}))) is None


def test_steps_lead_to_the_pages_of_what_they_made() -> None:
    start = "arn:aws:sagemaker:us-east-1:123456789012:"
    for metadata, wanted in (
        ({"TuningJob": {"Arn": start + "hyper-parameter-tuning-job/t"}}, ("/_cloche/tuning/t", "t")),
        ({"RegisterModel": {"Arn": start + "model-package/g/3"}}, ("/_cloche/registry/g", "g/3")),
        ({"Lambda": {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f:2"}}, ("/_cloche/functions/f", "f")),
        ({"Condition": {"Outcome": "True"}}, None),
        ({}, None),
    ):
        assert page_of({"Metadata": metadata}) == wanted
