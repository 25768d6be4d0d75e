"""Endpoints: the list, and one endpoint with its components, traffic, latency, use and a box to try it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_or, log_tail, newest_stream
from cloche.console.deployments import deployment_of
from cloche.console.pages import Pages, form_of
from cloche.console.scaling import scaling_of

ANSWER_BYTES_SHOWN = 256 * 1024
FORM_BYTES_MAX = 1024 * 1024
MINUTES_SHOWN = 60
LINES_SHOWN = 300
COMPONENTS_SHOWN = 20
MONITORS_SHOWN = 20
_WANTED = (
    ("AWS/SageMaker", "Invocations", "Sum"),
    ("AWS/SageMaker", "ModelLatency", "Average"),
    ("AWS/SageMaker", "OverheadLatency", "Average"),
    ("/aws/sagemaker/Endpoints", "CPUUtilization", "Average"),
    ("/aws/sagemaker/Endpoints", "MemoryUtilization", "Average"),
)


@dataclass(frozen=True)
class Subject:
    """What a line of a chart is about."""

    label: str
    dimensions: list[dict[str, str]]

    @staticmethod
    def variant(endpoint: str, name: str) -> Subject:
        return Subject(name, [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": name}])

    @staticmethod
    def component(name: str) -> Subject:
        return Subject(name, [{"Name": "InferenceComponentName", "Value": name}])


class EndpointPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/endpoints", self.index),
            Route("/_cloche/endpoints/{name}", self.endpoint),
            Route("/_cloche/endpoints/{name}/try", self.attempt, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        answer = await self._ask("sagemaker", "ListEndpoints", members)
        template = "_endpoint_rows.html" if "hx-request" in request.headers else "endpoints.html"
        return self._pages.show(
            template, endpoints=answer["Endpoints"], next=answer.get("NextToken"), query=request.url.query
        )

    async def endpoint(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            endpoint = await self._ask("sagemaker", "DescribeEndpoint", {"EndpointName": name})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        variants = [variant["VariantName"] for variant in endpoint.get("ProductionVariants", [])]
        components = await self._components(name)
        asked = {"EndpointName": name, "MaxResults": MONITORS_SHOWN}
        none: Members = {"MonitoringScheduleSummaries": []}
        monitors = await ask_or(self._ask, "sagemaker", "ListMonitoringSchedules", asked, none)
        subjects = [Subject.variant(name, variant) for variant in variants]
        subjects += [Subject.component(each["InferenceComponentName"]) for each in components]
        now = self._pages.now()
        charts, logs, deployment, scaling = await asyncio.gather(
            self._charts(subjects),
            self._logs(name, variants),
            deployment_of(self._ask, endpoint, now),
            scaling_of(
                self._ask,
                name,
                [each["InferenceComponentName"] for each in components],
                now - timedelta(minutes=MINUTES_SHOWN),
                now,
            ),
        )
        template = "_endpoint.html" if "hx-request" in request.headers else "endpoint.html"
        return self._pages.show(
            template,
            endpoint=endpoint,
            deployment=deployment,
            components=components,
            monitors=monitors["MonitoringScheduleSummaries"],
            scaling=scaling,
            charts=[*charts, *scaling["charts"]],
            events=logs,
            json=json.dumps,
        )

    async def _components(self, endpoint: str) -> list[Members]:
        """Descriptions of the inference components on it."""
        asked = {"EndpointNameEquals": endpoint, "MaxResults": COMPONENTS_SHOWN, "SortBy": "Name"}
        nothing: Members = {"InferenceComponents": []}
        listed = await ask_or(self._ask, "sagemaker", "ListInferenceComponents", asked, nothing)
        names = [each["InferenceComponentName"] for each in listed["InferenceComponents"]]
        described = await asyncio.gather(
            *(
                ask_or(self._ask, "sagemaker", "DescribeInferenceComponent", {"InferenceComponentName": each}, {})
                for each in names
            )
        )
        return [each for each in described if each]

    async def attempt(self, request: Request) -> Response:
        """Send what is in the box to the endpoint, as any client would, and show what came back."""
        form = await form_of(request)
        members: Members = {
            "EndpointName": request.path_params["name"],
            "ContentType": form.get("content_type") or "text/csv",
            "Body": form.get("body", "").replace("\r\n", "\n").encode(),
        }
        if accept := form.get("accept"):
            members["Accept"] = accept
        if component := form.get("component"):
            members["InferenceComponentName"] = component
        began = time.perf_counter()
        try:
            answer = await self._ask("sagemaker-runtime", "InvokeEndpoint", members)
            body = await _whole(answer["Body"])
            shown = {
                "good": True,
                "text": body[:ANSWER_BYTES_SHOWN].decode(errors="replace"),
                "about": f"{answer.get('ContentType', '')} from {answer.get('InvokedProductionVariant', '')}",
            }
        except AwsError as error:
            shown = {"good": False, "text": error.message, "about": f"{error.code} ({error.status})"}
        return self._pages.show("_try.html", answer=shown, milliseconds=(time.perf_counter() - began) * 1000)

    async def _charts(self, subjects: list[Subject]) -> list[dict[str, Any]]:
        """Requests a minute, model and overhead latency in milliseconds, and use in percent, for the last hour."""
        if not subjects:
            return []
        end = self._pages.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        begin = end - timedelta(minutes=MINUTES_SHOWN)
        queries = [
            _query(f"m{i}v{j}", namespace, metric, statistic, subject)
            for i, (namespace, metric, statistic) in enumerate(_WANTED)
            for j, subject in enumerate(subjects)
        ]
        members = {"MetricDataQueries": queries, "StartTime": begin, "EndTime": end, "ScanBy": "TimestampAscending"}
        answer = await ask_or(self._ask, "cloudwatch", "GetMetricData", members, {"MetricDataResults": []})
        found = {result["Id"]: result for result in answer["MetricDataResults"]}
        minutes = [begin + timedelta(minutes=n) for n in range(MINUTES_SHOWN)]

        def line(i: int, j: int, label: str, scale: float, absent: float | None) -> dict[str, Any]:
            result = found.get(f"m{i}v{j}", {"Timestamps": [], "Values": []})
            values = dict(zip(result["Timestamps"], result["Values"], strict=True))
            return {"label": label, "values": [_scaled(values.get(at), scale, absent) for at in minutes]}

        x = [at.timestamp() for at in minutes]
        traffic = [line(0, j, subject.label, 1, 0) for j, subject in enumerate(subjects)]

        def lines(parts: tuple[tuple[int, str], ...], scale: float) -> list[dict[str, Any]]:
            found = [
                line(i, j, f"{subject.label} {part}", scale, None)
                for j, subject in enumerate(subjects)
                for i, part in parts
            ]
            return [each for each in found if any(value is not None for value in each["values"])] or found[:1]

        latency = lines(((1, "model"), (2, "overhead")), 1000)
        use = lines(((3, "CPU"), (4, "memory")), 1)
        return [
            {"title": "requests a minute", "x": x, "x_is": "time", "series": traffic},
            {"title": "latency, ms (average)", "x": x, "x_is": "time", "series": latency},
            {"title": "use of an instance, % (average)", "x": x, "x_is": "time", "series": use},
        ]

    async def _logs(self, endpoint: str, variants: list[str]) -> list[Members]:
        if not variants:
            return []
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        return await log_tail(self._ask, group, await newest_stream(self._ask, group, f"{variants[0]}/"), LINES_SHOWN)


def _query(id: str, namespace: str, metric: str, statistic: str, subject: Subject) -> Members:
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": subject.dimensions}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": 60, "Stat": statistic}, "ReturnData": True}


def _scaled(value: float | None, scale: float, absent: float | None) -> float | None:
    return absent if value is None else value / scale


async def _whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    return b"".join([chunk async for chunk in body])
