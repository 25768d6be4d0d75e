"""Pages of experiments and lineage, as the server sends them."""

from __future__ import annotations

import html
import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

Get = Callable[[str], tuple[int, str]]
EXPERIMENT = "console-depths"


@pytest.fixture(scope="module")
def get(server: Any) -> Get:
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    token = (server.data / "keys" / "console.token").read_text().strip()
    opener.open(f"{server.url}/?token={token}", timeout=30).read()

    def ask(path: str) -> tuple[int, str]:
        try:
            with opener.open(server.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return ask


@pytest.fixture(scope="module")
def runs(server: Any) -> list[str]:
    """Three runs of one experiment, with a metric over steps; the last has a name that wants to be markup."""
    sagemaker, metrics = server.client("sagemaker"), server.client("sagemaker-metrics")
    sagemaker.create_experiment(ExperimentName=EXPERIMENT, Description="which <b>depth</b>")
    sagemaker.create_trial(TrialName=EXPERIMENT, ExperimentName=EXPERIMENT)
    names = []
    for depth in (2, 4, 8):
        name = f"{EXPERIMENT}-{depth}"
        sagemaker.create_trial_component(
            TrialComponentName=name,
            Status={"PrimaryStatus": "Completed"},
            Parameters={
                "rows": {"NumberValue": 100},
                "depth": {"NumberValue": depth},
                "note": {"StringValue": "<script>alert(1)</script>"},
            },
            OutputArtifacts={"model": {"Value": "s3://models/a b.tar.gz"}},
        )
        sagemaker.associate_trial_component(TrialComponentName=name, TrialName=EXPERIMENT)
        data = [
            {"MetricName": "loss", "Timestamp": time.time(), "Step": step, "Value": 1 / (step + depth)}
            for step in range(depth)
        ]
        metrics.batch_put_metrics(TrialComponentName=name, MetricData=data)
        names.append(name)
    return names


def charts(page: str) -> list[dict[str, Any]]:
    return [json.loads(html.unescape(found)) for found in re.findall(r'data-chart="([^"]*)"', page)]


def test_runs_stand_side_by_side_in_one_chart(get: Get, runs: list[str]) -> None:
    assert EXPERIMENT in get("/_cloche/experiments")[1]
    status, page = get(f"/_cloche/experiments/{EXPERIMENT}")
    assert status == 200
    (chart,) = charts(page)
    assert (chart["title"], chart["x_is"], chart["x"]) == ("loss", "step", list(range(8)))
    values = {line["label"]: line["values"] for line in chart["series"]}
    assert set(values) == set(runs)
    assert values[runs[0]] == [1 / 2, 1 / 3, *[None] * 6]
    assert page.index("<th>depth") < page.index("<th>rows")  # what differs comes first
    assert "<script>alert" not in page and "which <b>" not in page
    _, page = get(f"/_cloche/experiments/{EXPERIMENT}?run={runs[2]}")
    assert [line["label"] for line in charts(page)[0]["series"]] == [runs[2]]
    assert page.count(" checked") == 1


def test_a_run_has_its_page(get: Get, runs: list[str]) -> None:
    _, page = get(f"/_cloche/runs/{runs[1]}")
    assert charts(page)[0]["x"] == [0, 1, 2, 3]
    assert "a b.tar.gz" in page and "<script>alert" not in page
    assert get("/_cloche/runs/never-was")[0] == 404
    assert get("/_cloche/experiments/never-was")[0] == 404


def test_lineage_is_drawn_around_what_is_asked_for(server: Any, get: Get, runs: list[str]) -> None:
    sagemaker = server.client("sagemaker")
    step = sagemaker.describe_trial_component(TrialComponentName=runs[0])["TrialComponentArn"]
    uri = "s3://console-lineage/<raw>/data.csv"
    data = sagemaker.create_artifact(Source={"SourceUri": uri}, ArtifactType="DataSet")["ArtifactArn"]
    place = sagemaker.create_context(
        ContextName="console-lineage", ContextType="Endpoint", Source={"SourceUri": "arn:aws:sagemaker:x:y:endpoint/z"}
    )["ContextArn"]
    sagemaker.add_association(SourceArn=data, DestinationArn=step)
    sagemaker.add_association(SourceArn=step, DestinationArn=place)
    for of in (step, uri, "arn:aws:sagemaker:x:y:endpoint/z"):
        status, page = get(f"/_cloche/lineage?of={quote(of, safe='')}")
        assert status == 200
        nodes = re.findall(r'data-key="([^"]+)"><title>', page)
        assert nodes and {html.unescape(each) for each in nodes} == {data, step, place}
        assert page.count('<path class="edge"') == 2
        assert "<raw>" not in page
    assert get("/_cloche/lineage?of=arn:aws:sagemaker:x:y:endpoint/none")[0] == 404
    assert runs[0] in get("/_cloche/lineage")[1]
