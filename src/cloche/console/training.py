"""Training jobs: the list, and one job with its live log and metric curves."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, log_tail, newest_stream
from cloche.console.curves import Curves
from cloche.console.jobs import ENDED, LINES_SHOWN, STOP_POLLING, JobPages
from cloche.console.pages import Pages

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class TrainingPages(JobPages):
    noun = "TrainingJob"
    path = "training"

    def __init__(self, ask: Ask, pages: Pages) -> None:
        super().__init__(ask, pages)
        self._curves = Curves(ask, LOG_GROUP)

    async def job(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            job = await self._ask("sagemaker", "DescribeTrainingJob", {"TrainingJobName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        stream = await newest_stream(self._ask, LOG_GROUP, f"{name}/algo-1-")
        events, (charts, is_read) = await asyncio.gather(
            log_tail(self._ask, LOG_GROUP, stream, LINES_SHOWN), self._charts(job, stream)
        )
        is_fragment = "hx-request" in request.headers
        over = job["TrainingJobStatus"] in ENDED
        return self._pages.show(
            "_training_job.html" if is_fragment else "training_job.html",
            STOP_POLLING if is_fragment and over and is_read else 200,
            job=job,
            events=events,
            lines_shown=LINES_SHOWN,
            charts=charts,
            over=over,
            settled=over and is_read,
            json=json.dumps,
        )

    async def _charts(self, job: Members, stream: str | None) -> tuple[list[dict[str, Any]], bool]:
        charts, is_read = await self._curves.of_rounds(stream) if stream else ([], True)
        return charts or await self._curves.over_time(job), is_read
