"""Endpoints: the list, and one endpoint with its traffic, its latency and a box to try it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_or, log_tail, newest_stream
from cloche.console.pages import Pages

ANSWER_BYTES_SHOWN = 256 * 1024
FORM_BYTES_MAX = 1024 * 1024
MINUTES_SHOWN = 60
LINES_SHOWN = 300


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
        charts, logs = await asyncio.gather(self._charts(name, variants), self._logs(name, variants))
        template = "_endpoint.html" if "hx-request" in request.headers else "endpoint.html"
        return self._pages.show(template, endpoint=endpoint, charts=charts, events=logs, json=json.dumps)

    async def attempt(self, request: Request) -> Response:
        """Send what is in the box to the endpoint, as any client would, and show what came back."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        members: Members = {
            "EndpointName": request.path_params["name"],
            "ContentType": form.get("content_type", "text/csv"),
            "Body": form.get("body", "").replace("\r\n", "\n").encode(),
        }
        if accept := form.get("accept"):
            members["Accept"] = accept
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

    async def _charts(self, endpoint: str, variants: list[str]) -> list[dict[str, Any]]:
        """Requests a minute, and model and overhead latency in milliseconds, for the last hour."""
        if not variants:
            return []
        end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        begin = end - timedelta(minutes=MINUTES_SHOWN)
        wanted = [("Invocations", "Sum"), ("ModelLatency", "Average"), ("OverheadLatency", "Average")]
        queries = [
            _query(f"m{i}v{j}", metric, statistic, endpoint, variant)
            for i, (metric, statistic) in enumerate(wanted)
            for j, variant in enumerate(variants)
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
        traffic = [line(0, j, variant, 1, 0) for j, variant in enumerate(variants)]
        latency = [
            line(i, j, f"{variant} {part}", 1000, None)
            for j, variant in enumerate(variants)
            for i, part in ((1, "model"), (2, "overhead"))
        ]
        return [
            {"title": "requests a minute", "x": x, "x_is": "time", "series": traffic},
            {"title": "latency, ms (average)", "x": x, "x_is": "time", "series": latency},
        ]

    async def _logs(self, endpoint: str, variants: list[str]) -> list[Members]:
        if not variants:
            return []
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        return await log_tail(self._ask, group, await newest_stream(self._ask, group, f"{variants[0]}/"), LINES_SHOWN)


def _query(id: str, metric: str, statistic: str, endpoint: str, variant: str) -> Members:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    named = {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": 60, "Stat": statistic}, "ReturnData": True}


def _scaled(value: float | None, scale: float, absent: float | None) -> float | None:
    return absent if value is None else value / scale


async def _whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    return b"".join([chunk async for chunk in body])
