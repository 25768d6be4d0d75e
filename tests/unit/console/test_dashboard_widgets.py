"""What widgets are made of, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloche.console.alarms import STRIP_WIDTH, strip
from cloche.console.dashboards import span_of
from cloche.console.markdown import render
from cloche.console.metric_views import Gauge, metric_queries, over, pie, seen

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
    assert span_of("-PT3H", NOW) == timedelta(hours=3)
    assert span_of("-P7D", NOW) == timedelta(days=7)
    assert span_of("-PT30M", NOW) == timedelta(minutes=30) and span_of("-P1M", NOW) == timedelta(days=30)
    assert span_of("2026-11-25T12:00:00.000Z", NOW) == span_of("2026-11-25T12:00:00", NOW) == timedelta(days=1)
    for start in (None, "2027-01-01T00:00:00Z", "-PT1D", "-P3H", "lately", 3):
        assert span_of(start, NOW) == timedelta(hours=3), start
    assert span_of("-P999999999999D", NOW) == timedelta(days=455)


A, B = ("a", {0.0: 1.0, 60.0: 3.0}), ("b", {60.0: 5.0})


def test_areas_lie_upon_each_other_and_say_what_each_is_itself() -> None:
    [drawn] = seen({"stacked": True, "title": "t"}, [A, B], [])["charts"]
    assert drawn["stacked"] and [line["label"] for line in drawn["series"]] == ["b", "a"]
    assert [line["values"] for line in drawn["series"]] == [[1.0, 8.0], [1.0, 3.0]]
    assert [line["own"] for line in drawn["series"]] == [[None, 5.0], [1.0, 3.0]]


def test_each_view_shows_the_latest_numbers() -> None:
    empty: tuple[str, dict[float, float]] = ("c", {})
    assert seen({"view": "singleValue"}, [A, B, empty], [])["values"] == [("a", 3.0), ("b", 5.0), ("c", None)]
    [bars] = seen({"view": "bar"}, [A, B], [])["charts"]
    assert (bars["x_labels"], bars["series"][0]["values"], bars["bars"]) == (["a", "b"], [3.0, 5.0], True)
    table = seen({"view": "table"}, [A, empty], [])
    assert table["rows"][0] == {"metric": "a", "last": "3", "minimum": "1", "maximum": "3", "average": "2"}
    assert table["rows"][1]["last"] == "" and table["fields"] == list(table["rows"][0])
    assert seen({"view": "sunburst"}, [A], [])["why"] == "the view sunburst of metrics is not drawn here"


def test_a_pie_is_a_whole() -> None:
    slices = pie([("a", 3.0), ("none", None), ("b", 1.0), ("less", -1.0)])
    assert [(each.label, each.share) for each in slices] == [("a", 0.75), ("b", 0.25)]
    assert slices[0].path == "M50 50L50.0 5.0A45 45 0 1 1 5.0 50.0z"
    assert slices[1].path == "M50 50L5.0 50.0A45 45 0 0 1 50.0 5.0z"
    [only] = pie([("all", 2.0)])
    assert only.share == 1.0 and only.path.startswith("M50 5a45 45")
    assert pie([]) == []


def test_a_gauge_is_filled_between_its_ends() -> None:
    ends = {"yAxis": {"left": {"min": 10, "max": 20}}}
    whole = "M5 50A45 45 0 0 1 95.0 50.0"
    assert seen({"view": "gauge", **ends}, [("half", {0.0: 15.0})], [])["gauges"] == [
        Gauge("half", 15.0, (10.0, 20.0), whole, "M5 50A45 45 0 0 1 50.0 5.0")
    ]
    [beyond] = seen({"view": "gauge", **ends}, [("more", {0.0: 99.0})], [])["gauges"]
    assert beyond.filled == whole


def test_one_period_may_be_the_whole_time() -> None:
    [query] = metric_queries({"metrics": [["N", "m"]]})
    assert over(query, timedelta(hours=3))["MetricStat"]["Period"] == 10_800
    assert over({"Id": "e", "Expression": "1"}, timedelta(seconds=61))["Period"] == 120


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
