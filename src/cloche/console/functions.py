"""Lambda functions: the list, and one function with its last invocations and its log."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_or, log_tail
from cloche.console.pages import Pages

STREAMS_SHOWN = 5
"""Of the processes that were at work last."""
LINES_SHOWN = 500
INVOCATIONS_SHOWN = 20
_REPORT = re.compile(
    r"REPORT RequestId: (?P<request>\S+)\tDuration: (?P<ms>[0-9.]+) ms\t.*?Memory Size: (?P<size>\d+) MB\t"
    r"(?:Max Memory Used: (?P<used>\d+) MB\t)?(?:Init Duration: (?P<init>[0-9.]+) ms\t)?(?:Status: (?P<status>\w+))?"
)
_ERROR = "[ERROR]"


class FunctionPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/functions", self.index),
            Route("/_cloche/functions/{name}", self.function),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {}
        if token := request.query_params.get("next"):
            members["Marker"] = token
        answer = await self._ask("lambda", "ListFunctions", members)
        return self._pages.show(
            "_function_rows.html" if "hx-request" in request.headers else "functions.html",
            functions=answer["Functions"],
            next=answer.get("NextMarker"),
            query=request.url.query,
        )

    async def function(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            function = (await self._ask("lambda", "GetFunction", {"FunctionName": name}))["Configuration"]
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        events = await self._log(function["LoggingConfig"]["LogGroup"])
        versions = await self._ask("lambda", "ListVersionsByFunction", {"FunctionName": name})
        aliases = await self._ask("lambda", "ListAliases", {"FunctionName": name})
        return self._pages.show(
            "_function.html" if "hx-request" in request.headers else "function.html",
            function=function,
            events=events,
            invocations=invocations(events),
            versions=[each for each in versions["Versions"] if each["Version"] != "$LATEST"],
            aliases=aliases["Aliases"],
            lines_shown=LINES_SHOWN,
        )

    async def _log(self, group: str) -> list[Members]:
        """The last lines of the streams that were written last, in the order of time."""
        members = {"logGroupName": group, "orderBy": "LastEventTime", "descending": True, "limit": STREAMS_SHOWN}
        found = await ask_or(self._ask, "logs", "DescribeLogStreams", members, {"logStreams": []})
        names = [each["logStreamName"] for each in found["logStreams"]]
        tails = await asyncio.gather(*(log_tail(self._ask, group, name, LINES_SHOWN) for name in names))
        merged = sorted((event for tail in tails for event in tail), key=lambda event: event["timestamp"])
        return merged[-LINES_SHOWN:]


def invocations(events: list[Members]) -> list[dict[str, Any]]:
    """What the log's REPORT lines tell, newest first. ``status`` is empty for an event that went well."""
    found: list[dict[str, Any]] = []
    is_error = False
    for event in events:
        message = event["message"]
        is_error = is_error or message.startswith(_ERROR)
        if message.startswith("START "):
            is_error = False
        report = _REPORT.match(message)
        if report is None:
            continue
        status = report["status"] or ("error" if is_error else "")
        found.append({**report.groupdict(), "status": status, "at": event["timestamp"] / 1000})
        is_error = False
    return found[: -INVOCATIONS_SHOWN - 1 : -1]
