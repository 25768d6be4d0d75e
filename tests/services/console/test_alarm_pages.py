"""Alarms and dashboards in the console: curves with their threshold, states, widgets drawn or not drawn by name."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def alarms(world: Any) -> Any:
    cloudwatch = world.client("cloudwatch")
    for minute in range(30):
        at = time.time() - minute * 60
        datum = {"MetricName": "drift", "Value": 20 + minute % 7, "Timestamp": at}
        cloudwatch.put_metric_data(Namespace="Pages", MetricData=[datum])
    plain = {"Namespace": "Pages", "MetricName": "drift", "Statistic": "Average", "Period": 60}
    rings = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 25.0}
    cloudwatch.put_metric_alarm(
        AlarmName="pages/<b>drift", **plain, **rings, ComparisonOperator="GreaterThanThreshold", ActionsEnabled=True
    )
    cloudwatch.set_alarm_state(AlarmName="pages/<b>drift", StateValue="ALARM", StateReason="by <i>hand</i>")
    cloudwatch.put_composite_alarm(AlarmName="pages-whole", AlarmRule='ALARM("pages/<b>drift")')
    logs = world.client("logs")
    logs.create_log_group(logGroupName="pages-log")
    logs.create_log_stream(logGroupName="pages-log", logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": "a line of the log"}
    logs.put_log_events(logGroupName="pages-log", logStreamName="s", logEvents=[event])
    return cloudwatch


def test_an_alarm(page: Browser, world: Any, alarms: Any, tmp_path: Path) -> None:
    page.open(world.server.url + "/_cloche/alarms")
    page.wait_text("drift, Average > 25 for 2 of 3 periods of 60 s")
    page.click_link("pages/<b>drift")
    page.wait("a curve", lambda: page.run("return document.querySelectorAll('.uplot canvas').length") == 1)
    chart = json.loads(page.run("return document.querySelector('[data-chart]').dataset.chart"))
    assert [line["label"] for line in chart["series"]] == ["drift", "threshold"]
    assert set(chart["series"][1]["values"]) == {25.0} and len(chart["x"]) >= 29
    page.wait_text("Alarm updated from INSUFFICIENT_DATA to ALARM")
    assert page.run("return document.querySelectorAll('.strip rect').length") >= 1
    assert page.run("return document.querySelector('main i')") is None
    page.resize(1280, 900)
    page.screenshot(tmp_path / "alarm.png")
    assert page.run("return document.documentElement.scrollWidth") <= 1280
    nav = "const nav = document.querySelector('header nav'); return nav.scrollWidth - nav.clientWidth"
    assert page.run(nav) <= 0, "the pages do not fit into the head"
    page.open(world.server.url + "/_cloche/alarms/pages-whole")
    page.wait_text("Made of")
    page.click_link("pages/<b>drift")


def test_a_dashboard(page: Browser, world: Any, alarms: Any, tmp_path: Path) -> None:
    region = {"region": "us-east-1"}
    arn = alarms.describe_alarms(AlarmNames=["pages/<b>drift"])["MetricAlarms"][0]["AlarmArn"]
    level = {"horizontal": [{"label": "too much", "value": 25}]}
    axis = {"yAxis": {"left": {"min": 0, "max": 50}}, "setPeriodToTimeRange": True}
    metrics = [["Pages", "drift", {"id": "m1"}], [{"expression": "m1 * 2", "id": "e1", "label": "twice"}]]
    widgets = [
        ("metric", {**region, "metrics": metrics, "period": 60, "annotations": level, "title": "How it drifts"}),
        ("metric", {**region, "metrics": [["Pages", "drift"]], "view": "singleValue", "title": "Now"}),
        ("metric", {"region": "eu-west-1", "metrics": [["Pages", "drift"]]}),
        ("text", {"markdown": "# Hello\n**bold** <script>document.title='owned'</script> [a](https://example.com)"}),
        ("alarm", {"alarms": [arn]}),
        ("log", {**region, "query": "SOURCE 'pages-log' | fields @message"}),
        ("explorer", {"metrics": []}),
        ("metric", {**region, "metrics": metrics, "period": 60, "stacked": True, "title": "Upon each other"}),
        *(
            ("metric", {**region, "metrics": metrics, "view": view, **axis})
            for view in ("pie", "gauge", "bar", "table")
        ),
        ("metric", {**region, "metrics": metrics, "view": "sunburst"}),
        ("metric", {**region, "metrics": [*metrics, [{"expression": "m9 * 2", "id": "e9"}]]}),
        ("metric", {**region, "annotations": {"alarms": [arn]}, "title": "Of its alarm"}),
    ]
    body = [
        {"type": kind, "x": 0, "y": at * 6, "width": 12, "height": 6, "properties": properties}
        for at, (kind, properties) in enumerate(widgets)
    ]
    alarms.put_dashboard(DashboardName="pages-all", DashboardBody=json.dumps({"widgets": body}))
    page.open(world.server.url + "/_cloche/alarms")
    page.click_link("pages-all")
    page.wait("curves", lambda: page.run("return document.querySelectorAll('.uplot canvas').length") == 4)
    chart = json.loads(page.run("return document.querySelector('[data-chart]').dataset.chart"))
    assert [line["label"] for line in chart["series"]] == ["drift", "twice", "too much"]
    text = page.text("#dashboard")
    assert "Hello" in text and "bold" in text and "a line of the log" in text
    assert "it shows the region eu-west-1" in text and "widgets of the type explorer are not drawn here" in text
    assert "There is no metric or expression with the Id m9" in text
    assert "the view sunburst of metrics is not drawn here" in text and "average" in text
    charts = page.run("return [...document.querySelectorAll('[data-chart]')].map((each) => each.dataset.chart)")
    stack, bars, alarm = (json.loads(each) for each in charts[1:])
    assert [line["label"] for line in stack["series"]] == ["twice", "drift"]
    assert [
        low + own for low, own in zip(stack["series"][1]["values"], stack["series"][0]["own"], strict=True)
    ] == stack["series"][0]["values"]
    assert (
        bars["x_labels"] == ["drift", "twice"] and bars["series"][0]["values"][0] * 2 == bars["series"][0]["values"][1]
    )
    assert [line["label"] for line in alarm["series"]] == ["drift", "threshold"]
    assert page.run("return document.querySelectorAll('.pie path').length") == 2
    assert page.run("return document.querySelectorAll('.gauge .filled').length") == 2
    assert page.run("return document.title") == "pages-all · Cloche"
    assert page.run("return document.querySelectorAll('.widget').length") == len(widgets)
    for width in (1280, 400):
        page.resize(width, 900)
        page.open(world.server.url + "/_cloche/dashboards/pages-all")
        page.wait("curves", lambda: page.run("return document.querySelectorAll('.uplot canvas').length") == 4)
        page.screenshot(tmp_path / f"dashboard-{width}.png")
        assert page.run("return document.documentElement.scrollWidth") <= width
