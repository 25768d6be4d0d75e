"""Dashboards, drawn: metric, text, alarm and log widgets with what the stores hold now; any other says that it is not.

The body is docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members
from cloche.console.markdown import render
from cloche.console.metric_charts import asked, chart
from cloche.console.pages import Pages

WIDGETS_MAX: Final = 100
SPAN: Final = timedelta(hours=3)
LOG_SECONDS: Final = 5.0
LOG_ROWS: Final = 50
COLUMNS: Final = 24
_SPAN: Final = re.compile(r"-PT?(\d+)([MHDW])")
_UNITS: Final = {"M": "minutes", "H": "hours", "D": "days", "W": "weeks"}


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
        span = span_of(body.get("start"))
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
        queries = metric_queries(properties)
        levels = [
            (str(each.get("label") or "level"), float(each["value"]))
            for each in (properties.get("annotations") or {}).get("horizontal") or ()
            if isinstance(each, dict) and isinstance(each.get("value"), int | float)
        ]
        if not queries:
            return {"kind": "none", "why": "it has no metrics of its own"}
        series = await asked(self._ask, queries, now - span, now + timedelta(seconds=1))
        if properties.get("view") == "singleValue":
            latest = [(label, points[max(points)] if points else None) for _, label, points in series]
            return {"kind": "values", "values": latest}
        return {"charts": [chart(str(properties.get("title") or "metrics"), [each[1:] for each in series], levels)]}

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
        return {"fields": fields, "rows": rows}


def span_of(start: Any) -> timedelta:
    """``-PT3H``, ``-P7D``; the last three hours for what says nothing, or another thing."""
    found = _SPAN.fullmatch(start) if isinstance(start, str) else None
    if found is None:
        return SPAN
    return min(timedelta(**{_UNITS[found[2]]: int(found[1])}), timedelta(days=455))


def metric_queries(properties: Members) -> list[Members]:
    """The widget's ``metrics`` as GetMetricData wants them. In an array ``.`` repeats a field of the array before, and
    ``...`` all those that are not said."""
    period, stat = int(properties.get("period") or 300), str(properties.get("stat") or "Average")
    before: list[str] = []
    queries: list[Members] = []
    for number, entry in enumerate(properties.get("metrics") or ()):
        options = entry[-1] if entry and isinstance(entry[-1], dict) else {}
        fields = [str(field) for field in (entry[:-1] if options else entry)]
        id = str(options.get("id") or f"w{number}")
        shown = {"Id": id, "ReturnData": options.get("visible") is not False}
        if label := options.get("label"):
            shown["Label"] = str(label)
        if "expression" in options:
            queries.append({**shown, "Expression": str(options["expression"]), "Period": period})
            continue
        fields = _filled(fields, before)
        before = fields
        dimensions = [{"Name": fields[at], "Value": fields[at + 1]} for at in range(2, len(fields) - 1, 2)]
        metric = {"Namespace": fields[0], "MetricName": fields[1], "Dimensions": dimensions}
        asked_for = {"Period": int(options.get("period") or period), "Stat": str(options.get("stat") or stat)}
        queries.append({**shown, "MetricStat": {"Metric": metric, **asked_for}})
    return queries


def _filled(fields: list[str], before: list[str]) -> list[str]:
    if "..." in fields:
        at = fields.index("...")
        rest = fields[at + 1 :]
        fields = [*fields[:at], *before[at : len(before) - len(rest)], *rest]
    filled = [before[at] if field == "." and at < len(before) else field for at, field in enumerate(fields)]
    return filled if len(filled) >= 2 else [*filled, *[""] * (2 - len(filled))]
