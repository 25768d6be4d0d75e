"""Monitors: the schedules, and one of them: its executions along time, what they found, and how its features moved."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.distributions import HEIGHT, WIDTH, Picture, pictures
from cloche.console.door import HEADERS
from cloche.console.pages import Pages
from cloche.console.storage import whole_body

EXECUTIONS_SHOWN: Final = 100
FEATURES_SHOWN: Final = 60
UNDER_WAY: Final = ("Pending", "InProgress", "Stopping")
REPORT_BYTES_MAX: Final = 8 << 20
_COUNTED: Final = re.compile(r"with (\d+) violations?\b")
"""What the analyzer says as it ends."""


class MonitorPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/monitors", self.index),
            Route("/_cloche/monitors/{name}", self.schedule),
            Route("/_cloche/monitors/{name}/{verb:str}", self.turn, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        asked: Members = {"MaxResults": 50}
        if token := request.query_params.get("next"):
            asked["NextToken"] = token
        if name := request.query_params.get("name"):
            asked["NameContains"] = name
        schedules = await self._ask("sagemaker", "ListMonitoringSchedules", asked)
        names = [each["MonitoringScheduleName"] for each in schedules["MonitoringScheduleSummaries"]]
        newest = await ask_all(
            *(
                self._ask("sagemaker", "ListMonitoringExecutions", {"MonitoringScheduleName": each, "MaxResults": 1})
                for each in names
            )
        )
        found = [each["MonitoringExecutionSummaries"] for each in newest]
        last = {name: executions[0] for name, executions in zip(names, found, strict=True) if executions}
        return self._pages.show(
            "_monitor_rows.html" if "hx-request" in request.headers else "monitors.html",
            schedules=schedules["MonitoringScheduleSummaries"],
            last=last,
            next=schedules.get("NextToken"),
            name=name or "",
            query=request.url.query,
        )

    async def schedule(self, request: Request) -> Response:
        name = request.path_params["name"]
        named = {"MonitoringScheduleName": name}
        try:
            schedule = await self._ask("sagemaker", "DescribeMonitoringSchedule", named)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        found, alerts, history = await ask_all(
            self._ask("sagemaker", "ListMonitoringExecutions", {**named, "MaxResults": EXECUTIONS_SHOWN}),
            self._ask("sagemaker", "ListMonitoringAlerts", named),
            self._ask("sagemaker", "ListMonitoringAlertHistory", {**named, "MaxResults": 20}),
        )
        executions = found["MonitoringExecutionSummaries"]
        for each in executions:
            each["Job"] = each.get("ProcessingJobArn", "").rpartition("/")[2]
        wanted = request.query_params.get("job")
        with_jobs = [each for each in executions if each["Job"]]
        ended = [each for each in with_jobs if each["MonitoringExecutionStatus"] not in UNDER_WAY]
        chosen = with_jobs if wanted else ended or with_jobs
        shown = next((each for each in chosen if wanted in (None, each["Job"])), None)
        report = await self._report(shown["Job"]) if shown is not None else {}
        is_fragment = "hx-request" in request.headers
        return self._pages.show(
            "_monitor.html" if is_fragment else "monitor.html",
            schedule=schedule,
            executions=executions,
            counts=await self._counts(ended),
            json=json.dumps,
            alerts=alerts["MonitoringAlertSummaries"],
            history=history["MonitoringAlertHistory"],
            shown=shown,
            report=report,
            query=request.url.query,
            width=WIDTH,
            height=HEIGHT,
        )

    async def turn(self, request: Request) -> Response:
        """Start or stop it."""
        name, verb = request.path_params["name"], request.path_params["verb"]
        operation = {"start": "StartMonitoringSchedule", "stop": "StopMonitoringSchedule"}.get(verb)
        if operation is None:
            return Response("Not Found", 404, HEADERS)
        try:
            await self._ask("sagemaker", operation, {"MonitoringScheduleName": name})
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        return RedirectResponse(f"/_cloche/monitors/{name}", 303, HEADERS)

    async def _counts(self, ended: list[Members]) -> list[Members]:
        """How many violations each execution found, along time; none where nothing was ever found."""
        violated = [each for each in ended if each["MonitoringExecutionStatus"] == "CompletedWithViolations"]
        jobs = await ask_all(
            *(
                ask_or(self._ask, "sagemaker", "DescribeProcessingJob", {"ProcessingJobName": each["Job"]}, {})
                for each in violated
            )
        )
        found = {
            each["Job"]: _COUNTED.search(job.get("ExitMessage", "")) for each, job in zip(violated, jobs, strict=True)
        }
        counted = {job: int(match[1]) for job, match in found.items() if match}
        if not counted:
            return []
        told = [
            each
            for each in reversed(ended)
            if each["MonitoringExecutionStatus"] == "Completed" or each["Job"] in counted
        ]
        series = [{"label": "violations", "values": [counted.get(each["Job"], 0) for each in told]}]
        x = [each["ScheduledTime"].timestamp() for each in told]
        return [{"title": "violations, execution by execution", "x": x, "x_is": "time", "bars": True, "series": series}]

    async def _report(self, job_name: str) -> Members:
        """What an execution has left, as far as it is there."""
        described = {"ProcessingJobName": job_name}
        job = await ask_or(self._ask, "sagemaker", "DescribeProcessingJob", described, {})
        outputs = (job.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        if not outputs:
            return {}
        folder = outputs[0]["S3Output"]["S3Uri"].rstrip("/")
        inputs = {each["InputName"]: each["S3Input"]["S3Uri"] for each in job.get("ProcessingInputs") or ()}
        found, statistics, before, constraints = await ask_all(
            self._json(f"{folder}/constraint_violations.json"),
            self._json(f"{folder}/statistics.json"),
            self._json(inputs.get("baseline")),
            self._json(inputs.get("constraints")),
        )
        listed = found.get("violations")
        violations: list[Members] = (
            [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        )
        counts: dict[str, int] = {}
        for each in violations:
            feature = str(each.get("feature_name", ""))
            counts[feature] = counts.get(feature, 0) + 1
        drawn = _drawn(before, statistics, counts)
        return {
            "folder": folder,
            "message": job.get("ExitMessage") or job.get("FailureReason"),
            "violations": violations,
            "pictures": drawn[:FEATURES_SHOWN],
            "features": len(drawn),
            "metrics": _metrics(statistics, constraints),
            "records": _member(statistics, "dataset").get("item_count"),
        }

    async def _json(self, uri: str | None) -> Members:
        """A report's document; empty where there is none, or where it is none."""
        if uri is None:
            return {}
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        named = {"Bucket": bucket, "Key": key}
        try:
            head = await self._ask("s3", "HeadObject", named)
            if not 0 < head.get("ContentLength", 0) <= REPORT_BYTES_MAX:
                return {}
            document: Any = orjson.loads(await whole_body((await self._ask("s3", "GetObject", named))["Body"]))
        except (AwsError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}


def _drawn(before: Members, statistics: Members, counts: dict[str, int]) -> list[Picture]:
    """None where the documents are not what an analyzer writes: anybody may put an object of that name there."""
    try:
        return pictures(before, statistics, counts)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return []


def _metrics(statistics: Members, constraints: Members) -> list[Members]:
    """Of model quality: each metric, its deviation, and what it must not pass."""
    kind = next((key for key in statistics if key.endswith("_metrics")), None)
    if kind is None:
        return []
    limits = _member(constraints, kind.removesuffix("_metrics") + "_constraints")
    return [
        {"name": name, **value, **_member(limits, name)}
        for name, value in _member(statistics, kind).items()
        if isinstance(value, dict) and "value" in value
    ]


def _member(document: Members, name: str) -> Members:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
