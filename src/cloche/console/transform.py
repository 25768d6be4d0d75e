"""Transform jobs: the list, and one job with its logs: what was done to which file, and what the model printed."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from cloche.aws.errors import AwsError
from cloche.console.asking import Members, ask_or, log_tail
from cloche.console.jobs import ENDED, LINES_SHOWN, STOP_POLLING, JobPages

LOG_GROUP = "/aws/sagemaker/TransformJobs"
DATA_LOG = "/data-log"


class TransformPages(JobPages):
    noun = "TransformJob"
    path = "transform"

    async def job(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            job = await self._ask("sagemaker", "DescribeTransformJob", {"TransformJobName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        data, model = await self._logs(name)
        is_fragment = "hx-request" in request.headers
        over = job["TransformJobStatus"] in ENDED
        return self._pages.show(
            "_transform_job.html" if is_fragment else "transform_job.html",
            STOP_POLLING if is_fragment and over else 200,
            job=job,
            data=data,
            model=model,
            lines_shown=LINES_SHOWN,
            over=over,
        )

    async def _logs(self, name: str) -> tuple[list[Members], list[Members]]:
        """(the data log, what the newest run's first instance printed)."""
        members = {"logGroupName": LOG_GROUP, "logStreamNamePrefix": f"{name}/"}
        found = await ask_or(self._ask, "logs", "DescribeLogStreams", members, {"logStreams": []})
        names = [each["logStreamName"] for each in found["logStreams"]]
        data = next((each for each in names if each.endswith(DATA_LOG)), None)
        printed = next((each for each in reversed(names) if not each.endswith(DATA_LOG)), None)
        return await asyncio.gather(
            log_tail(self._ask, LOG_GROUP, data, LINES_SHOWN), log_tail(self._ask, LOG_GROUP, printed, LINES_SHOWN)
        )
