"""Metric curves of a training job.

Built-in algorithms print a line for each round, and the rounds are the natural x axis, so their curves are read from
the log: each page view goes on where the last one stopped, a bounded number of lines further, and remembers the
points. Jobs whose log has no such lines have their metrics drawn over time, as CloudWatch has them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

from cloche.console.asking import Ask, Members, ask_or

ROUND = re.compile(r"^\[(\d+)\](?:#011|\t)(.*)$")
NAME_VALUE = re.compile(r"([A-Za-z][A-Za-z0-9_.@-]{0,80}):\s?(-?[0-9][0-9.eE+-]{0,30})")
LINES_AT_ONCE = 20_000
PAGE_LINES = 10_000
JOBS_REMEMBERED = 16
POINTS_MAX = 1_500
ROUNDS_MAX = 50_000

Lines = dict[str, dict[str, dict[int, float]]]
"""metric → data set → round → value."""


class Curves:
    """What is known of the newest jobs' rounds."""

    def __init__(self, ask: Ask, group: str) -> None:
        self._ask = ask
        self._group = group
        self._known: OrderedDict[str, _Reading] = OrderedDict()

    async def of_rounds(self, stream: str) -> tuple[list[dict[str, Any]], bool]:
        """Charts of ``stream``'s rounds as far as they have been read, and whether that was to the end."""
        reading = self._known.setdefault(stream, _Reading())
        self._known.move_to_end(stream)
        while len(self._known) > JOBS_REMEMBERED:
            self._known.popitem(last=False)
        for _ in range(LINES_AT_ONCE // PAGE_LINES):
            members: Members = {
                "logGroupName": self._group,
                "logStreamName": stream,
                "startFromHead": True,
                "limit": PAGE_LINES,
            }
            if reading.token is not None:
                members["nextToken"] = reading.token
            page = await ask_or(self._ask, "logs", "GetLogEvents", members, {"events": []})
            collect(reading.lines, page["events"])
            reading.token = page.get("nextForwardToken", reading.token)
            if len(page["events"]) < PAGE_LINES:
                return charts(reading.lines), True
        return charts(reading.lines), False

    async def over_time(self, job: Members) -> list[dict[str, Any]]:
        """Charts of the metrics CloudWatch has for a job, a point a second; at most its last day."""
        names = [metric["MetricName"] for metric in job.get("FinalMetricDataList") or []][:24]
        if not names:
            return []
        end = (job.get("TrainingEndTime") or datetime.now(UTC)) + timedelta(seconds=2)
        begin = max(job["CreationTime"], end - timedelta(days=1))
        period = 1 if end - begin < timedelta(hours=3) else 60
        dimensions = [{"Name": "TrainingJobName", "Value": job["TrainingJobName"]}]
        queries = [
            {
                "Id": f"m{n}",
                "MetricStat": {
                    "Metric": {"Namespace": self._group, "MetricName": name, "Dimensions": dimensions},
                    "Period": period,
                    "Stat": "Average",
                },
            }
            for n, name in enumerate(names)
        ]
        asked = {"MetricDataQueries": queries, "StartTime": begin, "EndTime": end, "ScanBy": "TimestampAscending"}
        answer = await ask_or(self._ask, "cloudwatch", "GetMetricData", asked, {"MetricDataResults": []})
        return [
            _thinned(
                {
                    "title": names[int(result["Id"][1:])],
                    "x": [at.timestamp() for at in result["Timestamps"]],
                    "x_is": "time",
                    "series": [{"label": names[int(result["Id"][1:])], "values": list(result["Values"])}],
                }
            )
            for result in answer["MetricDataResults"]
            if len(result["Values"]) > 1
        ]


class _Reading:
    def __init__(self) -> None:
        self.token: str | None = None
        self.lines: Lines = {}


def collect(lines: Lines, events: list[Members]) -> None:
    """Add the rounds told of in ``events`` (``[12]#011train-auc:0.9#011validation-auc:0.8``) to ``lines``."""
    for event in events:
        found = ROUND.match(event["message"])
        if not found or int(found[1]) >= ROUNDS_MAX:
            continue
        for name, value in NAME_VALUE.findall(found[2].replace("#011", "\t")):
            data_set, _, metric = name.partition("-")
            try:
                lines.setdefault(metric or name, {}).setdefault(data_set, {})[int(found[1])] = float(value)
            except ValueError:
                continue


def charts(lines: Lines) -> list[dict[str, Any]]:
    """One chart for each metric, with a line for each data set it was measured on.

    A chart shows what the algorithm printed and nothing between; of very many rounds it shows every so-many-th.
    """
    return [_thinned(_chart(metric, of_metric)) for metric, of_metric in lines.items()]


def _chart(metric: str, lines: dict[str, dict[int, float]]) -> dict[str, Any]:
    rounds = sorted({number for line in lines.values() for number in line})
    series = [{"label": label, "values": [line.get(number) for number in rounds]} for label, line in lines.items()]
    return {"title": metric, "x": rounds, "x_is": "round", "series": series}


def _thinned(chart: dict[str, Any]) -> dict[str, Any]:
    """``chart`` with at most about ``POINTS_MAX`` points, the last one kept."""
    count = len(chart["x"])
    step = -(-count // POINTS_MAX)
    if step <= 1:
        return chart

    def some(values: list[Any]) -> list[Any]:
        return values[(count - 1) % step :: step]

    series = [{**line, "values": some(line["values"])} for line in chart["series"]]
    return {**chart, "x": some(chart["x"]), "series": series}
