"""Logs Insights in the console: a query from the box to its rows and its chart, one that is wrong, one that is kept."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from typing import Any

import pytest

from cloche.console.insights import chart_of

GROUP = "/console/insights"


class Browsing:
    """Pages as a browser asks for them, with the console's cookie and without scripts."""

    def __init__(self, server: Any) -> None:
        self._url = server.url
        token = (server.data / "keys" / "console.token").read_text().strip()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self._opener.open(f"{server.url}/?token={token}").close()

    def page(self, path: str, form: dict[str, str] | None = None) -> str:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        headers = {"hx-request": "true"} if "queries/" in path else {}
        if form is not None:
            headers["Origin"] = self._url
        with self._opener.open(urllib.request.Request(self._url + path, data, headers)) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def browsing(server: Any) -> Browsing:
    logs = server.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    at = int(time.time() * 1000) - 60_000
    messages = [json.dumps({"level": "ERROR" if n % 2 else "INFO", "n": n, "t": "<b>"}) for n in range(10)]
    events = [{"timestamp": at + n, "message": message} for n, message in enumerate(messages)]
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=events)
    return Browsing(server)


def ran(browsing: Browsing, query: str) -> str:
    page = browsing.page("/_cloche/logs/run", {"groups": GROUP, "query": query, "range": "3600"})
    until = time.monotonic() + 60
    while "load delay" in page:
        assert time.monotonic() < until
        time.sleep(0.05)
        page = browsing.page(page.partition('hx-get="')[2].partition('"')[0])
    return page


def test_a_query_shows_rows_and_a_chart(browsing: Browsing) -> None:
    assert GROUP in browsing.page("/_cloche/logs")
    page = ran(browsing, "stats count(*) as events by level")
    assert "10 of 10 events matched" in page
    assert "<td>ERROR" in page and "<td>5" in page and "data-chart" in page
    page = ran(browsing, "filter n = 3 | fields n, t")
    assert "&lt;b&gt;" in page and "<b>" not in page and "1 of 10 events matched" in page


def test_a_wrong_query_shows_where(browsing: Browsing) -> None:
    page = browsing.page("/_cloche/logs/run", {"groups": GROUP, "query": "fields n | nonsense <i>"})
    assert "<mark>nonsense</mark>" in page and "&lt;i&gt;" in page


def test_queries_are_kept(browsing: Browsing) -> None:
    page = browsing.page("/_cloche/logs/save", {"groups": GROUP, "query": "limit 7", "name": "seven <"})
    assert "seven &lt;" in page
    link = page.partition('href="')[2].partition('"')[0]
    assert "limit 7</textarea>" in browsing.page(link)
    page = browsing.page("/_cloche/logs/save", {"groups": GROUP, "query": "limit 8", "name": "seven <"})
    assert page.count("seven &lt;") == 1 and "limit 8" in page
    forget = page.partition('hx-post="')[2].partition('"')[0]
    assert "seven" not in browsing.page(forget, {})


def test_charts() -> None:
    times = ["2026-11-26 00:00:00.000", "2026-11-26 00:05:00.000"]
    rows = [
        {"bin(5m)": at, "service": name, "n": str(n)}
        for n, (at, name) in enumerate((t, s) for t in times for s in "ab")
    ]
    chart = chart_of(["bin(5m)", "service", "n"], rows)
    assert chart is not None
    assert chart["x"] == [1795651200.0, 1795651500.0]
    assert {line["label"]: line["values"] for line in chart["series"]} == {"a": [0.0, 2.0], "b": [1.0, 3.0]}
    chart = chart_of(["service", "n"], [{"service": "a", "n": "2"}, {"service": "b", "n": "5"}])
    assert chart is not None and chart["bars"] and chart["x_labels"] == ["a", "b"]
    assert chart_of(["@message"], [{"@message": "text"}]) is None
    assert chart_of([], []) is None
