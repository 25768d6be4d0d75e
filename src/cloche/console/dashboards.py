"""Dashboards, drawn: metric, text, alarm and log widgets with what the stores hold now; any other, and any view of
metrics or logs that is not known here, says by its name that it is not drawn.

The body is docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.alarms import queries_of
from cloche.console.asking import Ask, Members
from cloche.console.insights import chart_of
from cloche.console.markdown import render
from cloche.console.metric_charts import asked
from cloche.console.metric_views import levels_of, metric_queries, over, pie, seen
from cloche.console.pages import Pages

WIDGETS_MAX: Final = 100
SPAN: Final = timedelta(hours=3)
LOG_SECONDS: Final = 5.0
LOG_ROWS: Final = 50
COLUMNS: Final = 24
_SPAN: Final = re.compile(r"-P(T?)(\d+)([MHDW])")
_SECONDS: Final = {"TM": 60, "TH": 3600, "D": 86_400, "W": 7 * 86_400, "M": 30 * 86_400}
SPAN_LONGEST: Final = timedelta(days=455)
"""CloudWatch keeps metrics for 455 days."""


class DashboardPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [Route("/_cloche/dashboards/{name}", self.dashboard)]

    async def dashboard(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            held = await self._ask("cloudwatch", "GetDashboard", {"DashboardName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        body = json.loads(held["DashboardBody"])
        span = span_of(body.get("start"), self._pages.now())
        widgets = sorted(body["widgets"], key=lambda widget: (widget.get("y", 0), widget.get("x", 0)))[:WIDGETS_MAX]
        drawn = await asyncio.gather(*(self._widget(widget, span) for widget in widgets))
        return self._pages.show(
            "_dashboard.html" if "hx-request" in request.headers else "dashboard.html",
            name=name,
            widgets=drawn,
            json=json.dumps,
        )

    async def _widget(self, widget: Members, span: timedelta) -> dict[str, Any]:
        kind, properties = widget["type"], widget.get("properties") or {}
        shown: dict[str, Any] = {
            "kind": kind,
            "title": str(properties.get("title") or ""),
            "width": min(max(int(widget.get("width", 6)), 1), COLUMNS),
        }
        region = properties.get("region", self._pages.place.region)
        if kind in ("metric", "log") and region != self._pages.place.region:
            return {**shown, "kind": "none", "why": f"it shows the region {region}; this console shows its own"}
        try:
            if kind == "metric":
                return {**shown, **await self._metric(properties, span)}
            if kind == "text":
                return {**shown, "html": render(str(properties.get("markdown", "")))}
            if kind == "alarm":
                return {**shown, "alarms": await self._alarms(properties)}
            if kind == "log":
                return {**shown, **await self._log(properties, span)}
        except AwsError as error:
            return {**shown, "kind": "none", "why": error.message}
        return {**shown, "kind": "none", "why": f"widgets of the type {kind} are not drawn here"}

    async def _metric(self, properties: Members, span: timedelta) -> dict[str, Any]:
        now = self._pages.now()
        asked_for, levels = metric_queries(properties), levels_of(properties)
        if not asked_for:
            asked_for, levels = await self._annotated(properties)
        if not asked_for:
            return {"kind": "none", "why": "it has neither metrics nor an alarm that is there"}
        if properties.get("setPeriodToTimeRange"):
            asked_for = [over(query, span) for query in asked_for]
        series = await asked(self._ask, asked_for, now - span, now + timedelta(seconds=1))
        return seen(properties, [(label, points) for _, label, points in series], levels)

    async def _annotated(self, properties: Members) -> tuple[list[Members], list[tuple[str, float]]]:
        """What a widget shows that names an alarm in place of metrics: its metrics, and its threshold across them."""
        for alarm in await self._alarms(properties.get("annotations") or {}):
            if "AlarmRule" not in alarm:
                return queries_of(alarm), [("threshold", alarm["Threshold"])] if "Threshold" in alarm else []
        return [], []

    async def _alarms(self, properties: Members) -> list[Members]:
        names = [str(arn).split(":alarm:")[-1] for arn in properties.get("alarms") or ()][:100]
        if not names:
            return []
        members = {"AlarmNames": names, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        answer = await self._ask("cloudwatch", "DescribeAlarms", members)
        return [*answer["MetricAlarms"], *answer["CompositeAlarms"]]

    async def _log(self, properties: Members, span: timedelta) -> dict[str, Any]:
        """Its query, made anew; what is not there in a few seconds is not waited for."""
        now = self._pages.now()
        groups = re.findall(r"SOURCE\s+'([^']+)'", str(properties.get("query", "")))
        query = re.sub(r"^(?:\s*SOURCE\s+'[^']+'\s*\|?)+", "", str(properties.get("query", ""))).strip()
        started = await self._ask(
            "logs",
            "StartQuery",
            {
                "logGroupNames": groups,
                "startTime": int((now - span).timestamp()),
                "endTime": int(now.timestamp()) + 1,
                "queryString": query,
                "limit": LOG_ROWS,
            },
        )
        deadline = asyncio.get_running_loop().time() + LOG_SECONDS
        while True:
            answer = await self._ask("logs", "GetQueryResults", {"queryId": started["queryId"]})
            if answer["status"] not in ("Scheduled", "Running"):
                break
            if asyncio.get_running_loop().time() > deadline:
                return {"kind": "none", "why": f"its query takes longer than {LOG_SECONDS:g} s"}
            await asyncio.sleep(0.05)
        rows = [{cell["field"]: cell.get("value", "") for cell in row} for row in answer.get("results") or ()]
        fields = list(dict.fromkeys(name for row in rows for name in row if name != "@ptr"))
        view = str(properties.get("view") or "table")
        if view == "table":
            return {"fields": fields, "rows": rows}
        if view not in ("timeSeries", "bar", "pie"):
            return {"kind": "none", "why": f"the view {view} of logs is not drawn here"}
        drawn = chart_of(fields, [{name: row[name] for name in fields if name in row} for row in rows])
        if drawn is None or (view == "pie" and drawn["x_is"] == "time"):
            return {"fields": fields, "rows": rows}
        if view == "pie":
            values = drawn["series"][0]["values"]
            return {
                "kind": "pie",
                "pie": pie([(label, value) for label, value in zip(drawn["x_labels"], values, strict=True)]),
            }
        return {"charts": [{**drawn, "bars": view == "bar"}]}


def span_of(start: Any, now: datetime) -> timedelta:
    """``-PT3H``, ``-P7D``, or a date; the last three hours for what says nothing, or another thing."""
    if not isinstance(start, str):
        return SPAN
    if found := _SPAN.fullmatch(start):
        seconds = int(found[2]) * _SECONDS.get(found[1] + found[3], 0)
        return timedelta(seconds=min(seconds, SPAN_LONGEST.total_seconds())) if seconds else SPAN
    try:
        begin = datetime.fromisoformat(start)
    except ValueError:
        return SPAN
    span = now - (begin if begin.tzinfo else begin.replace(tzinfo=UTC))
    return min(span, SPAN_LONGEST) if span > timedelta(0) else SPAN
