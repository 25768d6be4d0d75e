"""Queues with what lies in them; rules, schedules and pipes, and what they delivered or could not deliver."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.flow import Flow
from cloche.console.pages import Pages
from cloche.console.sums import day_sums

SHOWN: Final = 100
DELIVERIES: Final = 40
METRICS: Final = ("MatchedEvents", "Invocations", "FailedInvocations", "InvocationsSentToDlq")


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
        names = [rule["Name"] for rule in rules]
        sums = await day_sums(self._ask, self._pages.now(), "AWS/Events", "RuleName", names, METRICS)
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
