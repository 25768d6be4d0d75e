"""What the pages of every kind of job share: the list with its search and pages, and the button that stops one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members
from cloche.console.door import HEADERS
from cloche.console.pages import Pages

ENDED: Final = ("Completed", "Failed", "Stopped")
LINES_SHOWN: Final = 1_500
STOP_POLLING: Final = 286
"""htmx's status for a fragment that will not change any more."""


class JobPages(ABC):
    """A kind of job names itself and writes ``job``, the page of one. Its templates are called after ``path``."""

    noun: ClassVar[str]
    """AWS's: ``TrainingJob``."""
    path: ClassVar[str]

    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route(f"/_cloche/{self.path}", self.index),
            Route(f"/_cloche/{self.path}/{{name}}", self.job),
            Route(f"/_cloche/{self.path}/{{name}}/stop", self.stop, methods=["POST"]),
        ]

    @abstractmethod
    async def job(self, request: Request) -> Response:
        """The page of one job."""

    async def index(self, request: Request) -> Response:
        members: Members = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        if name := request.query_params.get("name"):
            members["NameContains"] = name
        answer = await self._ask("sagemaker", f"List{self.noun}s", members)
        return self._pages.show(
            f"_{self.path}_rows.html" if "hx-request" in request.headers else f"{self.path}.html",
            jobs=answer[f"{self.noun}Summaries"],
            next=answer.get("NextToken"),
            name=name or "",
            query=request.url.query,
        )

    async def stop(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            await self._ask("sagemaker", f"Stop{self.noun}", {f"{self.noun}Name": name})
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        return RedirectResponse(f"/_cloche/{self.path}/{name}", 303, HEADERS)
