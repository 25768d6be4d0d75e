"""Alarms: the list, and one alarm with the curve it watches, its threshold, its states and what it did."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_all
from cloche.console.metric_charts import asked, chart, stat_query
from cloche.console.pages import Pages

TYPES: Final = ["MetricAlarm", "CompositeAlarm"]
PAGE: Final = 50
HISTORY_SHOWN: Final = 50
PERIODS_SHOWN: Final = 60
SPAN_LEAST: Final = timedelta(hours=1)
STRIP: Final = timedelta(hours=24)
STRIP_WIDTH: Final = 1000
WIDTH_LEAST: Final = 1.0
_OPERATORS: Final = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
    "LessThanLowerOrGreaterThanUpperThreshold": "outside of",
    "LessThanLowerThreshold": "below",
    "GreaterThanUpperThreshold": "above",
}


class AlarmPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/alarms", self.index),
            Route("/_cloche/alarms/{name:path}", self.alarm),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"AlarmTypes": TYPES, "MaxRecords": PAGE}
        if state := request.query_params.get("state"):
            members["StateValue"] = state
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        answer, dashboards = await ask_all(
            self._ask("cloudwatch", "DescribeAlarms", members), self._ask("cloudwatch", "ListDashboards", {})
        )
        found = [{**alarm, "condition": condition(alarm)} for alarm in _of(answer)]
        return self._pages.show(
            "_alarm_rows.html" if "hx-request" in request.headers else "alarms.html",
            alarms=sorted(found, key=lambda alarm: str(alarm["AlarmName"])),
            dashboards=dashboards["DashboardEntries"],
            next=answer.get("NextToken"),
            query=request.url.query,
        )

    async def alarm(self, request: Request) -> Response:
        name = request.path_params["name"]
        described, history = await ask_all(
            self._ask("cloudwatch", "DescribeAlarms", {"AlarmNames": [name], "AlarmTypes": TYPES}),
            self._ask(
                "cloudwatch",
                "DescribeAlarmHistory",
                {"AlarmName": name, "AlarmTypes": TYPES, "MaxRecords": HISTORY_SHOWN},
            ),
        )
        found = _of(described)
        if not found:
            return self._pages.show("missing.html", 404, message=f"There is no alarm {name}.")
        now, items = self._pages.now(), history["AlarmHistoryItems"]
        charts = [] if "AlarmRule" in found[0] else [await self._chart(found[0], now)]
        return self._pages.show(
            "_alarm.html" if "hx-request" in request.headers else "alarm.html",
            alarm=found[0],
            condition=condition(found[0]),
            charts=charts,
            json=json.dumps,
            strip=strip(found[0], items, now),
            strip_width=STRIP_WIDTH,
            history=items,
            children=await self._children(name) if "AlarmRule" in found[0] else [],
        )

    async def _children(self, name: str) -> list[Members]:
        return _of(await self._ask("cloudwatch", "DescribeAlarms", {"ChildrenOfAlarmName": name}))

    async def _chart(self, alarm: Members, now: datetime) -> dict[str, Any]:
        queries = queries_of(alarm)
        span = max(SPAN_LEAST, timedelta(seconds=PERIODS_SHOWN * period_of(alarm)))
        try:
            series = await asked(self._ask, queries, now - span, now + timedelta(seconds=1))
        except AwsError:  # its reason is the alarm's own, on the same page
            series = []
        levels = [("threshold", alarm["Threshold"])] if "Threshold" in alarm else []
        return chart(title_of(alarm), [(label, points) for _, label, points in series], levels)


def _of(answer: Members) -> list[Members]:
    return [*answer["MetricAlarms"], *answer["CompositeAlarms"]]


def queries_of(alarm: Members) -> list[Members]:
    """What is to be asked for to see what the alarm sees."""
    if "Metrics" in alarm:
        return list(alarm["Metrics"])
    stat = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    return [stat_query("m1", alarm, stat, alarm["Period"])]


def period_of(alarm: Members) -> int:
    if "Period" in alarm:
        return int(alarm["Period"])
    periods = [query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query]
    return int(max([*periods, *(query["Period"] for query in alarm["Metrics"] if "Period" in query)], default=300))


def title_of(alarm: Members) -> str:
    if "MetricName" in alarm:
        return f"{alarm['MetricName']}, {alarm.get('Statistic') or alarm['ExtendedStatistic']}"
    return ", ".join(query.get("Expression", "") for query in alarm["Metrics"] if "Expression" in query)


def condition(alarm: Members) -> str:
    """``ModelLatency, Average > 200000 for 2 of 3 periods of 60 s``."""
    if "AlarmRule" in alarm:
        return str(alarm["AlarmRule"])
    level = f"{alarm['Threshold']:g}" if "Threshold" in alarm else f"the band {alarm['ThresholdMetricId']}"
    periods = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm", periods)
    counted = f"{needed} of {periods} periods" if periods > 1 else "a period"
    operator = _OPERATORS[alarm["ComparisonOperator"]]
    return f"{title_of(alarm)} {operator} {level} for {counted} of {period_of(alarm)} s"


def strip(alarm: Members, items: list[Members], now: datetime) -> list[dict[str, Any]]:
    """Its states over the last day as stretches of a line: where each begins, how long it is, what it is.

    ``items`` are of its history, newest first. What is older than they tell is left blank.
    """
    begin, end = now - STRIP, now
    found: list[dict[str, Any]] = []
    value = alarm["StateValue"]
    for item in items:
        if item["HistoryItemType"] != "StateUpdate":
            continue
        at = max(item["Timestamp"], begin)
        found.append(_stretch(value, at, end, begin))
        end, value = at, item["HistorySummary"].split(" ")[3]
        if at == begin:
            break
    else:
        made = [item["Timestamp"] for item in items if item["HistorySummary"].endswith('" created')]
        found.append(_stretch(value, max(made[-1], begin) if made else begin, end, begin))
    return [stretch for stretch in reversed(found) if stretch["to"] > stretch["from"]]


def _stretch(value: str, at: datetime, end: datetime, begin: datetime) -> dict[str, Any]:
    scale = STRIP_WIDTH / STRIP.total_seconds()
    return {
        "state": value,
        "x": round((at - begin).total_seconds() * scale, 1),
        "width": max(round((end - at).total_seconds() * scale, 1), WIDTH_LEAST),
        "from": at,
        "to": end,
    }
