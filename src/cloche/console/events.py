"""Queues with what lies in them; rules, schedules and pipes, and what they delivered or could not deliver."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.flow import Flow
from cloche.console.pages import Pages

SHOWN: Final = 100
DELIVERIES: Final = 40
METRICS: Final = ("MatchedEvents", "Invocations", "FailedInvocations", "InvocationsSentToDlq")
SPAN: Final = timedelta(hours=24)


class EventPages:
    def __init__(self, ask: Ask, pages: Pages, flow: Flow) -> None:
        self._ask = ask
        self._pages = pages
        self._flow = flow

    def routes(self) -> list[Route]:
        return [Route("/_cloche/queues", self.queues), Route("/_cloche/rules", self.rules)]

    async def queues(self, request: Request) -> Response:
        members: Members = {"MaxResults": SHOWN}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        answer = await self._ask("sqs", "ListQueues", members)
        urls = answer.get("QueueUrls") or []
        asked = [
            ask_or(self._ask, "sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["All"]}, {})
            for url in urls
        ]
        queues = [
            {"name": url.rpartition("/")[2], **(told.get("Attributes") or {})}
            for url, told in zip(urls, await ask_all(*asked), strict=True)
        ]
        return self._pages.show("queues.html", queues=queues, next=answer.get("NextToken"))

    async def rules(self, request: Request) -> Response:
        buses = (await self._ask("events", "ListEventBuses", {}))["EventBuses"]
        lists = await ask_all(*(self._ask("events", "ListRules", {"EventBusName": bus["Name"]}) for bus in buses))
        rules = [rule for answer in lists for rule in answer["Rules"]][:SHOWN]
        targets = await ask_all(
            *(
                self._ask("events", "ListTargetsByRule", {"Rule": rule["Name"], "EventBusName": rule["EventBusName"]})
                for rule in rules
            )
        )
        sums = await self._sums([rule["Name"] for rule in rules])
        shown = [
            {
                **rule,
                "targets": [each["Arn"] for each in found["Targets"]],
                "sums": sums.get(rule["Name"], {}),
                "next": self._flow.occurs_next(rule["Arn"]),
            }
            for rule, found in zip(rules, targets, strict=True)
        ]
        return self._pages.show(
            "_rules.html" if "hx-request" in request.headers else "rules.html",
            rules=shown,
            schedules=await self._schedules(),
            pipes=(await ask_or(self._ask, "pipes", "ListPipes", {"Limit": SHOWN}, {"Pipes": []}))["Pipes"],
            deliveries=self._flow.newest(DELIVERIES),
        )

    async def _schedules(self) -> list[Members]:
        answer = await ask_or(self._ask, "scheduler", "ListSchedules", {"MaxResults": SHOWN}, {"Schedules": []})
        asked = [{"Name": each["Name"], "GroupName": each["GroupName"]} for each in answer["Schedules"]]
        told = await ask_all(*(ask_or(self._ask, "scheduler", "GetSchedule", each, {}) for each in asked))
        return [{**each, "next": self._flow.occurs_next(each["Arn"])} for each in told if each]

    async def _sums(self, names: list[str]) -> dict[str, dict[str, int]]:
        """Of the last day, by rule and metric."""
        asked = {f"r{n}m{m}": (name, metric) for n, name in enumerate(names) for m, metric in enumerate(METRICS)}
        if not asked:
            return {}
        now = self._pages.now()
        members = {
            "MetricDataQueries": [_query(id, name, metric) for id, (name, metric) in asked.items()],
            "StartTime": now - SPAN,
            "EndTime": now + timedelta(minutes=1),
        }
        sums: dict[str, dict[str, int]] = {}
        for result in (await self._ask("cloudwatch", "GetMetricData", members))["MetricDataResults"]:
            if (about := asked.get(result["Id"])) is not None:
                sums.setdefault(about[0], {})[about[1]] = int(sum(result["Values"]))
        return sums


def _query(id: str, rule: str, metric: str) -> dict[str, Any]:
    named = {
        "Namespace": "AWS/Events",
        "MetricName": metric,
        "Dimensions": [{"Name": "RuleName", "Value": rule}],
    }
    return {"Id": id, "MetricStat": {"Metric": named, "Period": 3600, "Stat": "Sum"}}
