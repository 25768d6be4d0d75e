"""Experiments: the list, and one with its runs side by side: metrics over steps in one chart, parameters in a table.

Runs are trial components, found by search. Those ticked are compared, the newest few where none is.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_or
from cloche.console.pages import Pages

RUNS_SHOWN = 100
COMPARED = 6
"""As many as there are colours."""
COMPARED_MAX = 12
CHARTS_MAX = 8
QUERIES_AT_ONCE = 100


class ExperimentPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/experiments", self.index),
            Route("/_cloche/experiments/{name}", self.experiment),
            Route("/_cloche/runs/{name}", self.run),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        answer = await self._ask("sagemaker", "ListExperiments", members)
        return self._pages.show(
            "experiments.html", experiments=answer["ExperimentSummaries"], next=answer.get("NextToken")
        )

    async def experiment(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            experiment = await self._ask("sagemaker", "DescribeExperiment", {"ExperimentName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        runs = await self._runs(name)
        ticked = set(request.query_params.getlist("run")[:COMPARED_MAX])
        compared = [run for run in runs if run["TrialComponentName"] in ticked] or runs[:COMPARED]
        return self._pages.show(
            "experiment.html",
            experiment=experiment,
            runs=runs,
            compared={run["TrialComponentName"] for run in compared},
            columns=columns_of(runs),
            value=value_of,
            charts=await self._charts(compared),
            json=json.dumps,
        )

    async def run(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            run = await self._ask("sagemaker", "DescribeTrialComponent", {"TrialComponentName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        return self._pages.show("run.html", run=run, charts=await self._charts([run]), value=value_of, json=json.dumps)

    async def _runs(self, experiment: str) -> list[Members]:
        """Newest first."""
        condition = {"Name": "Parents.ExperimentName", "Operator": "Equals", "Value": experiment}
        answer = await self._ask(
            "sagemaker",
            "Search",
            {
                "Resource": "ExperimentTrialComponent",
                "SearchExpression": {"Filters": [condition]},
                "SortBy": "CreationTime",
                "SortOrder": "Descending",
                "MaxResults": RUNS_SHOWN,
            },
        )
        return [result["TrialComponent"] for result in answer["Results"]]

    async def _charts(self, runs: list[Members]) -> list[Members]:
        """A chart for each metric, a line for each run."""
        names = list(dict.fromkeys(metric["MetricName"] for run in runs for metric in run.get("Metrics") or ()))
        asked = [(name, run) for name in names[:CHARTS_MAX] for run in runs if _has(run, name)][:QUERIES_AT_ONCE]
        if not asked:
            return []
        queries = [
            {
                "MetricName": name,
                "ResourceArn": run["TrialComponentArn"],
                "MetricStat": "Last",
                "Period": "IterationNumber",
                "XAxisType": "IterationNumber",
            }
            for name, run in asked
        ]
        nothing: Members = {"MetricQueryResults": []}
        answer = await ask_or(self._ask, "sagemaker-metrics", "BatchGetMetrics", {"MetricQueries": queries}, nothing)
        lines: dict[str, dict[str, dict[int, float]]] = {}
        for (name, run), result in zip(asked, answer["MetricQueryResults"], strict=False):
            points = dict(zip(result["XAxisValues"], result["MetricValues"], strict=True))
            if points:
                lines.setdefault(name, {})[run.get("DisplayName") or run["TrialComponentName"]] = points
        return [chart_of(name, of_runs) for name, of_runs in lines.items()]


def chart_of(title: str, lines: dict[str, dict[int, float]]) -> Members:
    """Lines with steps of their own on one axis: gaps where a run has no value."""
    steps = sorted({step for points in lines.values() for step in points})
    series = [{"label": label, "values": [points.get(step) for step in steps]} for label, points in lines.items()]
    return {"title": title, "x": steps, "x_is": "step", "series": series}


def columns_of(runs: list[Members]) -> tuple[list[str], list[str]]:
    """The parameters and metrics of a comparison: first the parameters in which runs differ."""
    parameters = list(dict.fromkeys(name for run in runs for name in run.get("Parameters") or ()))
    metrics = list(dict.fromkeys(metric["MetricName"] for run in runs for metric in run.get("Metrics") or ()))

    def is_same(name: str) -> bool:
        return len({json.dumps((run.get("Parameters") or {}).get(name)) for run in runs}) == 1

    return sorted(parameters, key=lambda name: (is_same(name), parameters.index(name)))[:12], metrics[:CHARTS_MAX]


def value_of(parameter: Members | None) -> Any:
    """A parameter as a person reads it."""
    if not parameter:
        return ""
    number = parameter.get("NumberValue")
    return parameter.get("StringValue", "") if number is None else f"{number:.6g}"


def _has(run: Members, metric: str) -> bool:
    return any(each["MetricName"] == metric for each in run.get("Metrics") or ())
