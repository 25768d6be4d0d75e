"""Logs Insights: a box for a query, its rows and their chart, the queries of before and those that are kept."""

from __future__ import annotations

import calendar
import json
import re
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.pages import Pages, form_of

ROWS_SHOWN: Final = 500
LISTED: Final = 20
SERIES_MAX: Final = 6
BARS_MAX: Final = 40
RANGES: Final = (
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("10800", "3 hours"),
    ("43200", "12 hours"),
    ("86400", "1 day"),
    ("604800", "7 days"),
    ("2592000", "30 days"),
    ("0", "all times"),
)
ALWAYS: Final = 4_000_000_000
FIRST_QUERY: Final = "fields @timestamp, @message\n| sort @timestamp desc\n| limit 20"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
Row = dict[str, str]


class InsightsPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/logs", self.index),
            Route("/_cloche/logs/run", self.run, methods=["POST"]),
            Route("/_cloche/logs/save", self.save, methods=["POST"]),
            Route("/_cloche/logs/queries/{id}", self.query),
            Route("/_cloche/logs/queries/{id}/stop", self.stop, methods=["POST"]),
            Route("/_cloche/logs/saved/{id}/delete", self.delete, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        """With ``saved``, the query that is kept under that id stands in the box."""
        saved = await self._saved()
        chosen = next((each for each in saved if each["queryDefinitionId"] == request.query_params.get("saved")), {})
        groups = ", ".join(chosen.get("logGroupNames") or []) or request.query_params.get("group", "")
        return await self._page(chosen.get("queryString", FIRST_QUERY), groups, chosen.get("name", ""), saved=saved)

    async def query(self, request: Request) -> Response:
        """One query: what is known of it now for a page that waits, else a page of its own."""
        id = request.path_params["id"]
        found = await ask_or(self._ask, "logs", "DescribeQueries", {"maxResults": 1000}, {"queries": []})
        told = next((each for each in found["queries"] if each["queryId"] == id), None)
        try:
            shown = await self._shown(id)
            groups = await self._ask("logs", "ListLogGroupsForQuery", {"queryId": id})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        if "hx-request" in request.headers:
            return self._pages.show("_insights.html", **shown)
        names = ", ".join(arn.split(":log-group:", 1)[1] for arn in groups["logGroupIdentifiers"])
        return await self._page((told or {}).get("queryString", ""), names, "", **shown)

    async def run(self, request: Request) -> Response:
        form = await form_of(request)
        now, seconds = int(self._pages.now().timestamp()), int(form.get("range") or 0)
        members: Members = {
            "logGroupNames": _names(form),
            "queryString": form.get("query", "").replace("\r\n", "\n"),
            "startTime": now - seconds if seconds else 0,
            "endTime": now if seconds else ALWAYS,
        }
        try:
            started = await self._ask("logs", "StartQuery", members)
            return self._pages.show("_insights.html", **await self._shown(started["queryId"]))
        except AwsError as error:
            return self._pages.show("_insights.html", error=error, mark=_mark(members["queryString"], error))

    async def stop(self, request: Request) -> Response:
        id = request.path_params["id"]
        await ask_or(self._ask, "logs", "StopQuery", {"queryId": id}, {})
        return self._pages.show("_insights.html", **await self._shown(id))

    async def save(self, request: Request) -> Response:
        form = await form_of(request)
        members: Members = {"name": form.get("name", ""), "queryString": form.get("query", "").replace("\r\n", "\n")}
        if names := _names(form):
            members["logGroupNames"] = names
        kept = next((each for each in await self._saved() if each["name"] == members["name"]), None)
        if kept is not None:
            members["queryDefinitionId"] = kept["queryDefinitionId"]
        try:
            await self._ask("logs", "PutQueryDefinition", members)
        except AwsError as error:
            return self._pages.show("_insights_saved.html", saved=await self._saved(), error=error)
        return self._pages.show("_insights_saved.html", saved=await self._saved())

    async def delete(self, request: Request) -> Response:
        await ask_or(self._ask, "logs", "DeleteQueryDefinition", {"queryDefinitionId": request.path_params["id"]}, {})
        return self._pages.show("_insights_saved.html", saved=await self._saved())

    # -- inside ----------------------------------------------------------------------------------------------

    async def _page(self, query: str, groups: str, name: str, **more: Any) -> Response:
        listed, recent = await ask_all(
            ask_or(self._ask, "logs", "DescribeLogGroups", {"limit": 50}, {"logGroups": []}),
            ask_or(self._ask, "logs", "DescribeQueries", {"maxResults": LISTED}, {"queries": []}),
        )
        names = [each["logGroupName"] for each in listed["logGroups"]]
        saved = more.pop("saved", None)
        return self._pages.show(
            "insights.html",
            query_text=query,
            groups=groups or (names[0] if names else ""),
            name=name,
            known=names,
            ranges=RANGES,
            recent=recent["queries"],
            saved=await self._saved() if saved is None else saved,
            **more,
        )

    async def _saved(self) -> list[Members]:
        found = await ask_or(self._ask, "logs", "DescribeQueryDefinitions", {}, {"queryDefinitions": []})
        return sorted(found["queryDefinitions"], key=lambda each: str(each["name"]))

    async def _shown(self, id: str) -> dict[str, Any]:
        answer = await self._ask("logs", "GetQueryResults", {"queryId": id, "maxItems": ROWS_SHOWN})
        rows = [{pair["field"]: pair["value"] for pair in row if pair["field"] != "@ptr"} for row in answer["results"]]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        chart = chart_of(columns, rows)
        return {
            "id": id,
            "state": answer["status"],
            "told": answer["statistics"],
            "columns": columns,
            "rows": rows,
            "chart": json.dumps(chart) if chart else "",
            "chart_title": chart["title"] if chart else "",
        }


def chart_of(columns: list[str], rows: list[Row]) -> dict[str, Any] | None:
    """Numbers over a column of dates, a line for each of the texts beside them; or numbers of a few texts, as bars."""
    dates = [name for name in columns if all(_DATE.fullmatch(row.get(name, "")) for row in rows)]
    numbers = [
        name for name in columns if name not in dates and any(_number(row.get(name)) is not None for row in rows)
    ]
    numbers = [name for name in numbers if all(name not in row or _number(row[name]) is not None for row in rows)]
    texts = [name for name in columns if name not in dates and name not in numbers]
    if not rows or not numbers:
        return None
    if dates:
        return _over_time(dates[0], numbers, texts, rows)
    if len(texts) != 1 or len(rows) > BARS_MAX:
        return None
    labels = [row.get(texts[0], "") for row in rows]
    values = [_number(row.get(numbers[0])) for row in rows]
    series = [{"label": numbers[0], "values": values}]
    places = list(range(len(rows)))
    return {"title": numbers[0], "x": places, "x_is": texts[0], "x_labels": labels, "bars": True, "series": series}


def _over_time(date: str, numbers: list[str], texts: list[str], rows: list[Row]) -> dict[str, Any]:
    found: dict[str, dict[float, float | None]] = {}
    for row in rows:
        beside = " ".join(row[name] for name in texts if name in row)
        for name in numbers:
            label = " ".join(part for part in (beside, name if len(numbers) > 1 or not beside else "") if part)
            found.setdefault(label, {})[_seconds(row[date])] = _number(row.get(name))
    biggest = sorted(found, key=lambda label: -sum(value or 0 for value in found[label].values()))[:SERIES_MAX]
    x = sorted({at for label in biggest for at in found[label]})
    series = [{"label": label, "values": [found[label].get(at) for at in x]} for label in biggest]
    return {"title": ", ".join(numbers), "x": x, "x_is": "time", "bars": len(series) == 1, "series": series}


def _seconds(date: str) -> float:
    whole, _, part = date.partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%d %H:%M:%S")) + int(part) / 1000


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _are_numbers(values: list[str | None]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(_number(value) is not None for value in there)


def _mark(query: str, error: AwsError) -> tuple[str, str, str] | None:
    """The query before, at and after what cannot be."""
    place = (error.fields.get("queryCompileError") or {}).get("location")
    if not place:
        return None
    start, end = place["startCharOffset"], max(place["endCharOffset"], place["startCharOffset"] + 1)
    return query[:start], query[start:end] or "⏎", query[end:]


def _names(form: dict[str, str]) -> list[str]:
    return [name for name in re.split(r"[,\s]+", form.get("groups", "")) if name]
