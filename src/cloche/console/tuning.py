"""Tuning jobs: the list, and one job with its trials, told as pictures and as a table."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from cloche.aws.errors import AwsError
from cloche.console.asking import Members
from cloche.console.jobs import ENDED, STOP_POLLING, JobPages
from cloche.console.trials import axes_of, charts, coordinates


class TuningPages(JobPages):
    noun = "HyperParameterTuningJob"
    path = "tuning"

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
