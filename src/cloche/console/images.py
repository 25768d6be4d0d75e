"""Container images: the repositories of the registry, and what lies in each."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.pages import Pages

SHOWN: Final = 100


class ImagePages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask, self._pages = ask, pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/images", self.repositories),
            Route("/_cloche/images/{name:path}", self.repository),
        ]

    async def repositories(self, request: Request) -> Response:
        answer = await self._ask("ecr", "DescribeRepositories", _page(request))
        return self._pages.show("images.html", repositories=answer["repositories"], next=answer.get("nextToken"))

    async def repository(self, request: Request) -> Response:
        """Newest last, as they were pushed; the page of a repository that is not there says so."""
        name = request.path_params["name"]
        of_it = {"repositoryName": name}
        try:
            (found,) = (await self._ask("ecr", "DescribeRepositories", {"repositoryNames": [name]}))["repositories"]
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        images, lifecycle, policy = await ask_all(
            self._ask("ecr", "DescribeImages", {**of_it, **_page(request)}),
            ask_or(self._ask, "ecr", "GetLifecyclePolicy", of_it, {}),
            ask_or(self._ask, "ecr", "GetRepositoryPolicy", of_it, {}),
        )
        details: list[dict[str, Any]] = images["imageDetails"]
        return self._pages.show(
            "image_repository.html",
            repository=found,
            images=details,
            next=images.get("nextToken"),
            lifecycle=lifecycle,
            policy=policy.get("policyText"),
        )


def _page(request: Request) -> Members:
    members: Members = {"maxResults": SHOWN}
    if token := request.query_params.get("next"):
        members["nextToken"] = token
    return members
