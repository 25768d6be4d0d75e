"""Pipelines: the list, one pipeline with its executions, one execution whose graph lights up as it goes."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members
from cloche.console.dag import HEIGHT, WIDTH, Picture, picture_of
from cloche.console.door import HEADERS
from cloche.console.jobs import STOP_POLLING
from cloche.console.pages import Pages
from cloche.engines.pipelines import Pipelines
from cloche.foundation.errors import Invalid
from cloche.foundation.ids import request_id

ENDED = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
STEPS_SHOWN_MAX = 1_000
PAGES_OF_JOBS = {
    "TrainingJob": "/_cloche/training/",
    "ProcessingJob": "/_cloche/processing/",
    "TuningJob": "/_cloche/tuning/",
    "TransformJob": "/_cloche/transform/",
    "Endpoint": "/_cloche/endpoints/",
    "Lambda": "/_cloche/functions/",
    "RegisterModel": "/_cloche/registry/",
}
"""Where the console shows what a step has made, by the member of its metadata."""


class PipelinePages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/pipelines", self.index),
            Route("/_cloche/pipelines/{name}", self.pipeline),
            Route("/_cloche/pipelines/{name}/start", self.start, methods=["POST"]),
            Route("/_cloche/pipelines/{name}/{id}", self.execution),
            Route("/_cloche/pipelines/{name}/{id}/stop", self.stop, methods=["POST"]),
            Route("/_cloche/pipelines/{name}/{id}/retry", self.retry, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        answer = await self._ask("sagemaker", "ListPipelines", members)
        template = "_pipeline_rows.html" if "hx-request" in request.headers else "pipelines.html"
        return self._pages.show(
            template, pipelines=answer["PipelineSummaries"], next=answer.get("NextToken"), query=request.url.query
        )

    async def pipeline(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            pipeline = await self._ask("sagemaker", "DescribePipeline", {"PipelineName": name})
            members = {"PipelineName": name, "MaxResults": 50}
            listed = await self._ask("sagemaker", "ListPipelineExecutions", members)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        template = "_pipeline.html" if "hx-request" in request.headers else "pipeline.html"
        return self._pages.show(
            template,
            pipeline=pipeline,
            executions=listed["PipelineExecutionSummaries"],
            picture=_picture(pipeline["PipelineDefinition"]),
            states={},
            width=WIDTH,
            height=HEIGHT,
        )

    async def execution(self, request: Request) -> Response:
        name, id = request.path_params["name"], request.path_params["id"]
        try:
            arn = await self._arn(name, id)
            execution = await self._ask("sagemaker", "DescribePipelineExecution", {"PipelineExecutionArn": arn})
            used = await self._ask("sagemaker", "DescribePipelineDefinitionForExecution", {"PipelineExecutionArn": arn})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        steps = await self._pages_of("ListPipelineExecutionSteps", "PipelineExecutionSteps", arn)
        parameters = await self._pages_of("ListPipelineParametersForExecution", "PipelineParameters", arn)
        over = execution["PipelineExecutionStatus"] in ENDED
        is_fragment = "hx-request" in request.headers
        return self._pages.show(
            "_pipeline_execution.html" if is_fragment else "pipeline_execution.html",
            STOP_POLLING if is_fragment and over else 200,
            name=name,
            id=id,
            execution=execution,
            steps=steps,
            parameters=parameters,
            picture=_picture(used["PipelineDefinition"]),
            states={step["StepName"]: step for step in steps},
            over=over,
            link=page_of,
            width=WIDTH,
            height=HEIGHT,
        )

    async def start(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self._act(
            "StartPipelineExecution", {"PipelineName": name, "ClientRequestToken": request_id()}, name
        )

    async def stop(self, request: Request) -> Response:
        return await self._act_on(request, "StopPipelineExecution")

    async def retry(self, request: Request) -> Response:
        return await self._act_on(request, "RetryPipelineExecution")

    async def _act_on(self, request: Request, operation: str) -> Response:
        name, id = request.path_params["name"], request.path_params["id"]
        try:
            arn = await self._arn(name, id)
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        return await self._act(
            operation, {"PipelineExecutionArn": arn, "ClientRequestToken": request_id()}, f"{name}/{id}"
        )

    async def _act(self, operation: str, members: Members, path: str) -> Response:
        try:
            answer = await self._ask("sagemaker", operation, members)
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        if operation == "StartPipelineExecution":
            path = f"{path}/{answer['PipelineExecutionArn'].rpartition('/')[2]}"
        page = f"/_cloche/pipelines/{path}"
        if operation == "StopPipelineExecution":
            return RedirectResponse(page, 303, HEADERS)
        return Response("", 200, {**HEADERS, "hx-redirect": page})  # the page goes there, rather than a part of it

    async def _arn(self, name: str, id: str) -> str:
        pipeline = await self._ask("sagemaker", "DescribePipeline", {"PipelineName": name})
        return f"{pipeline['PipelineArn']}/execution/{id}"

    async def _pages_of(self, operation: str, member: str, arn: str) -> list[Members]:
        members: Members = {"PipelineExecutionArn": arn, "MaxResults": 100}
        if operation == "ListPipelineExecutionSteps":
            members["SortOrder"] = "Ascending"
        found: list[Members] = []
        while True:
            answer = await self._ask("sagemaker", operation, members)
            found.extend(answer[member])
            if "NextToken" not in answer or len(found) >= STEPS_SHOWN_MAX:
                return found
            members["NextToken"] = answer["NextToken"]


def _picture(definition: str) -> Picture | None:
    try:
        return picture_of(Pipelines.check(definition))
    except Invalid:
        return None


def page_of(step: dict[str, Any]) -> tuple[str, str] | None:
    """The page of what a step has made, and its name."""
    for member, held in (step.get("Metadata") or {}).items():
        arn = held.get("Arn")
        if arn and member in PAGES_OF_JOBS:
            if member == "RegisterModel":  # …:model-package/group/3: the group's page
                name = arn.partition("/")[2]
                return PAGES_OF_JOBS[member] + name.partition("/")[0], name
            name = arn.partition(":function:")[2].partition(":")[0] if member == "Lambda" else arn.rpartition("/")[2]
            return PAGES_OF_JOBS[member] + name, name
    return None
