"""Topics with their subscribers and what became of what was published, and the mail that they wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.pages import Pages
from cloche.console.sums import day_sums
from cloche.engines.topics.mails import Mail
from cloche.foundation.clock import from_epoch

SHOWN: Final = 100
METRICS: Final = (
    "NumberOfMessagesPublished",
    "NumberOfNotificationsDelivered",
    "NumberOfNotificationsFilteredOut",
    "NumberOfNotificationsFailed",
    "NumberOfNotificationsRedrivenToDlq",
)
_CONFIRMS: Final = re.compile(r"http://[^/\s]+(/\?Action=ConfirmSubscription&\S+)")
"""The link is made without its host: whatever a text says, it leads nowhere but here."""

Mails = Callable[[], Sequence[Mail]]
"""The newest, newest first."""


class TopicPages:
    def __init__(self, ask: Ask, pages: Pages, mails: Mails) -> None:
        self._ask, self._pages, self._mails = ask, pages, mails

    def routes(self) -> list[Route]:
        return [Route("/_cloche/topics", self.topics), Route("/_cloche/mail", self.mail)]

    async def topics(self, request: Request) -> Response:
        members: Members = {}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        answer = await self._ask("sns", "ListTopics", members)
        arns = [each["TopicArn"] for each in answer.get("Topics") or []][:SHOWN]
        subscribed = await ask_all(
            *(ask_or(self._ask, "sns", "ListSubscriptionsByTopic", {"TopicArn": arn}, {}) for arn in arns)
        )
        names = [arn.rpartition(":")[2] for arn in arns]
        sums = await day_sums(self._ask, self._pages.now(), "AWS/SNS", "TopicName", names, METRICS)
        topics: list[dict[str, Any]] = [
            {"name": name, "subscriptions": found.get("Subscriptions") or [], "sums": sums.get(name, {})}
            for name, found in zip(names, subscribed, strict=True)
        ]
        return self._pages.show("topics.html", topics=topics, next=answer.get("NextToken"))

    async def mail(self, request: Request) -> Response:
        mails = [
            {
                "to": each.recipient,
                "subject": each.subject,
                "topic": each.topic_arn.rpartition(":")[2],
                "at": from_epoch(each.written_at),
                "sent": each.sent_at is not None,
                "body": each.body,
                "link": link[1] if (link := _CONFIRMS.search(each.body)) else "",
            }
            for each in self._mails()
        ]
        return self._pages.show("mail.html", mails=mails)
