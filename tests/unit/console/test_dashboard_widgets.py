"""What widgets are made of, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloche.console.alarms import STRIP_WIDTH, strip
from cloche.console.dashboards import metric_queries, span_of
from cloche.console.markdown import render

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_metrics_repeat_what_the_line_before_said() -> None:
    queries = metric_queries(
        {
            "metrics": [
                ["AWS/EC2", "DiskReadBytes", "InstanceId", "i-1"],
                [".", "DiskWriteBytes", ".", ".", {"stat": "Sum", "period": 60}],
                ["...", "i-2"],
                [{"expression": "SUM(METRICS())", "id": "total"}],
            ]
        }
    )
    metrics = [query["MetricStat"]["Metric"] for query in queries[:3]]
    assert [(metric["Namespace"], metric["MetricName"]) for metric in metrics] == [
        ("AWS/EC2", "DiskReadBytes"),
        ("AWS/EC2", "DiskWriteBytes"),
        ("AWS/EC2", "DiskWriteBytes"),
    ]
    assert [metric["Dimensions"][0]["Value"] for metric in metrics] == ["i-1", "i-1", "i-2"]
    assert (queries[1]["MetricStat"]["Stat"], queries[1]["MetricStat"]["Period"]) == ("Sum", 60)
    assert queries[3]["Expression"] == "SUM(METRICS())" and queries[3]["Id"] == "total"


def test_spans() -> None:
    assert span_of("-PT3H") == timedelta(hours=3)
    assert span_of("-P7D") == timedelta(days=7)
    assert span_of("2026-01-01T00:00:00Z") == span_of(None) == timedelta(hours=3)
    assert span_of("-P999999999D") == timedelta(days=455)


def test_markdown() -> None:
    assert render("# One\n\ntwo **three** *four* `five*six*`") == (
        "<h2>One</h2><p>two <strong>three</strong> <em>four</em> <code>five*six*</code></p>"
    )
    assert render("- a\n- b\nc") == "<ul><li>a</li><li>b</li></ul><p>c</p>"
    assert render("[x](https://example.com/?a=1&b=2)") == (
        '<p><a href="https://example.com/?a=1&amp;b=2" rel="noreferrer">x</a></p>'
    )
    assert "<a" not in render("[x](javascript:alert(1))")


@given(st.text(alphabet="<>\"'&#*`[]()-1.\n\x00abhtps:/= ", max_size=80))
def test_no_text_brings_markup_along(text: str) -> None:
    made = render(text)
    for tag in ("<script", "<img", "<svg", "<iframe", "onerror=", 'href="javascript'):
        assert tag not in made
    own = ("p", "br", "ul", "li", "strong", "em", "code", "a", *(f"h{n}" for n in range(2, 7)))
    for part in made.split("<")[1:]:
        assert part.lstrip("/").split(">")[0].split(" ")[0] in own


def test_the_strip_of_states() -> None:
    def update(hours_ago: float, old: str, new: str) -> dict[str, object]:
        summary = f"Alarm updated from {old} to {new}"
        at = NOW - timedelta(hours=hours_ago)
        return {"HistoryItemType": "StateUpdate", "HistorySummary": summary, "Timestamp": at}

    made = {
        "HistoryItemType": "ConfigurationUpdate",
        "HistorySummary": 'Alarm "a" created',
        "Timestamp": NOW - timedelta(hours=12),
    }
    found = strip({"StateValue": "OK"}, [update(6, "ALARM", "OK"), update(9, "INSUFFICIENT_DATA", "ALARM"), made], NOW)
    assert [(each["state"], each["x"], each["width"]) for each in found] == [
        ("INSUFFICIENT_DATA", STRIP_WIDTH / 2, STRIP_WIDTH / 8),
        ("ALARM", STRIP_WIDTH * 5 / 8, STRIP_WIDTH / 8),
        ("OK", STRIP_WIDTH * 6 / 8, STRIP_WIDTH / 4),
    ]
    (only,) = strip({"StateValue": "OK"}, [update(40, "ALARM", "OK")], NOW)
    assert (only["x"], only["width"]) == (0.0, STRIP_WIDTH)
