"""Tuning jobs: the list, and one job with its trials, told as pictures and as a table."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members
from cloche.console.door import HEADERS
from cloche.console.pages import Pages
from cloche.console.training import ENDED, STOP_POLLING
from cloche.console.trials import axes_of, charts, coordinates


class TuningPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/tuning", self.index),
            Route("/_cloche/tuning/{name}", self.job),
            Route("/_cloche/tuning/{name}/stop", self.stop, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        if name := request.query_params.get("name"):
            members["NameContains"] = name
        answer = await self._ask("sagemaker", "ListHyperParameterTuningJobs", members)
        template = "_tuning_rows.html" if "hx-request" in request.headers else "tuning.html"
        return self._pages.show(
            template,
            jobs=answer["HyperParameterTuningJobSummaries"],
            next=answer.get("NextToken"),
            name=name or "",
            query=request.url.query,
        )

    async def job(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            job = await self._ask("sagemaker", "DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        trials = await self._trials(name)
        is_fragment = "hx-request" in request.headers
        over = job["HyperParameterTuningJobStatus"] in ENDED
        pictures = [_pictures(definition, trials) for definition in _definitions(job)]
        return self._pages.show(
            "_tuning_job.html" if is_fragment else "tuning_job.html",
            STOP_POLLING if is_fragment and over else 200,
            job=job,
            trials=list(reversed(trials)),
            pictures=pictures,
            over=over,
            json=json.dumps,
        )

    async def _trials(self, name: str) -> list[Members]:
        """All of them, in the order they were begun."""
        asked: Members = {
            "HyperParameterTuningJobName": name,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
            "MaxResults": 100,
        }
        found: list[Members] = []
        while True:
            answer = await self._ask("sagemaker", "ListTrainingJobsForHyperParameterTuningJob", asked)
            found += answer["TrainingJobSummaries"]
            if "NextToken" not in answer:
                return found
            asked["NextToken"] = answer["NextToken"]

    async def stop(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            await self._ask("sagemaker", "StopHyperParameterTuningJob", {"HyperParameterTuningJobName": name})
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        return RedirectResponse(f"/_cloche/tuning/{name}", 303, HEADERS)


def _definitions(job: Members) -> list[Members]:
    """(name, objective, ranges) of each definition."""
    config = job["HyperParameterTuningJobConfig"]
    several = job.get("TrainingJobDefinitions")
    if not several:
        objective = config["HyperParameterTuningJobObjective"]
        return [{"name": "", "objective": objective, "ranges": config.get("ParameterRanges") or {}}]
    return [
        {"name": each["DefinitionName"], "objective": each["TuningObjective"], "ranges": each["HyperParameterRanges"]}
        for each in several
    ]


def _pictures(definition: Members, trials: list[Members]) -> Members:
    maximize = definition["objective"]["Type"] == "Maximize"
    mine = [each for each in trials if each.get("TrainingJobDefinitionName", "") == definition["name"]]
    axes = axes_of(definition["ranges"])
    return {
        **definition,
        "charts": charts(mine, axes, maximize=maximize),
        "coordinates": coordinates(mine, axes, maximize=maximize),
    }
