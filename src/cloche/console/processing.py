"""Processing jobs: the list, and one job with its live log, its inputs and its outputs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cloche.aws.errors import AwsError
from cloche.console.asking import log_tail, newest_stream
from cloche.console.jobs import ENDED, LINES_SHOWN, STOP_POLLING, JobPages

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


class ProcessingPages(JobPages):
    noun = "ProcessingJob"
    path = "processing"

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
