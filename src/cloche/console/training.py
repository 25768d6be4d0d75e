"""Training jobs: the list, and one job with its live log and metric curves."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, log_lines
from cloche.console.door import HEADERS
from cloche.console.pages import Pages

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ROUND = re.compile(r"^\[(\d+)\](?:#011|\t)(.*)$")
NAME_VALUE = re.compile(r"([A-Za-z][A-Za-z0-9_.@-]{0,80}):\s?(-?[0-9][0-9.eE+-]{0,30})")


class TrainingPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/training", self.index),
            Route("/_cloche/training/{name}", self.job),
            Route("/_cloche/training/{name}/stop", self.stop, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        if name := request.query_params.get("name"):
            members["NameContains"] = name
        answer = await self._ask("sagemaker", "ListTrainingJobs", members)
        template = "_training_rows.html" if "hx-request" in request.headers else "training.html"
        return self._pages.show(
            template,
            jobs=answer["TrainingJobSummaries"],
            next=answer.get("NextToken"),
            name=name or "",
        )

    async def job(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            job = await self._ask("sagemaker", "DescribeTrainingJob", {"TrainingJobName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        events = await log_lines(self._ask, LOG_GROUP, f"{name}/")
        template = "_training_job.html" if "hx-request" in request.headers else "training_job.html"
        over = job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped")
        return self._pages.show(
            template, job=job, events=events[-1500:], charts=curves(events), over=over, json=json.dumps
        )

    async def stop(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            await self._ask("sagemaker", "StopTrainingJob", {"TrainingJobName": name})
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        return RedirectResponse(f"/_cloche/training/{name}", 303, HEADERS)


def curves(events: list[Members]) -> list[dict[str, Any]]:
    """Charts of the per-round metrics in a log (``[12]#011train-auc:0.9#011validation-auc:0.8``).

    One chart for each metric, with a line for each data set it was measured on. Rounds are read from the lines, so a
    chart shows what the algorithm printed and nothing between.
    """
    charts: dict[str, dict[str, dict[int, float]]] = {}
    for event in events:
        found = ROUND.match(event["message"])
        if not found:
            continue
        for name, value in NAME_VALUE.findall(found[2].replace("#011", "\t")):
            data_set, _, metric = name.partition("-")
            try:
                charts.setdefault(metric or name, {}).setdefault(data_set, {})[int(found[1])] = float(value)
            except ValueError:
                continue
    return [_chart(metric, lines) for metric, lines in charts.items()]


def _chart(metric: str, lines: dict[str, dict[int, float]]) -> dict[str, Any]:
    rounds = sorted({number for line in lines.values() for number in line})
    series = [{"label": label, "values": [line.get(number) for number in rounds]} for label, line in lines.items()]
    return {"title": metric, "x": rounds, "x_is": "round", "series": series}
