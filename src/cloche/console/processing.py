"""Processing jobs: the list, and one job with its live log, its inputs and its outputs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, log_tail, newest_stream
from cloche.console.door import HEADERS
from cloche.console.pages import Pages
from cloche.console.training import ENDED, LINES_SHOWN, STOP_POLLING

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


class ProcessingPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/processing", self.index),
            Route("/_cloche/processing/{name}", self.job),
            Route("/_cloche/processing/{name}/stop", self.stop, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        if name := request.query_params.get("name"):
            members["NameContains"] = name
        answer = await self._ask("sagemaker", "ListProcessingJobs", members)
        return self._pages.show(
            "_processing_rows.html" if "hx-request" in request.headers else "processing.html",
            jobs=answer["ProcessingJobSummaries"],
            next=answer.get("NextToken"),
            name=name or "",
            query=request.url.query,
        )

    async def job(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            job = await self._ask("sagemaker", "DescribeProcessingJob", {"ProcessingJobName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        count = job["ProcessingResources"]["ClusterConfig"].get("InstanceCount", 1)
        hosts = [f"algo-{number}" for number in range(1, count + 1)]
        host = request.query_params.get("host")
        host = host if host in hosts else hosts[0]
        stream = await newest_stream(self._ask, LOG_GROUP, f"{name}/{host}-")
        events = await log_tail(self._ask, LOG_GROUP, stream, LINES_SHOWN)
        is_fragment = "hx-request" in request.headers
        over = job["ProcessingJobStatus"] in ENDED
        return self._pages.show(
            "_processing_job.html" if is_fragment else "processing_job.html",
            STOP_POLLING if is_fragment and over else 200,
            job=job,
            hosts=hosts,
            host=host,
            events=events,
            lines_shown=LINES_SHOWN,
            over=over,
        )

    async def stop(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            await self._ask("sagemaker", "StopProcessingJob", {"ProcessingJobName": name})
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        return RedirectResponse(f"/_cloche/processing/{name}", 303, HEADERS)
