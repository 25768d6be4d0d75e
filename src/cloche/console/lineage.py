"""Where a thing came from and what came of it: the lineage around it as a picture, each entity a link to its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_or
from cloche.console.dag import HEIGHT, WIDTH, Picture, picture_of
from cloche.console.pages import Pages

VERTICES_AT_ONCE = 50
PAGES_MAX = 6
LABEL_MAX = 24
ENTITIES = (":artifact/", ":action/", ":context/", ":experiment-trial-component/", ":experiment/")
_TONES = {"Artifact": "artifact", "TrialComponent": "component", "Action": "action", "Context": "context"}


class LineagePages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [Route("/_cloche/lineage", self.show)]

    async def show(self, request: Request) -> Response:
        """``of`` is the ARN of an entity, or of a job, endpoint or package that has one, or an address in S3."""
        of = request.query_params.get("of", "")
        start = await self._entity(of) if of else None
        if start is None:
            known = await self._newest() if not of else []
            return self._pages.show("lineage.html", 404 if of else 200, of=of, picture=None, known=known, details=None)
        try:
            vertices, edges = await self._around(start)
            details = await self._details(start)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        addresses = await self._addresses(vertices)
        return self._pages.show(
            "lineage.html",
            of=of,
            start=start,
            picture=picture(start, vertices, edges, addresses),
            tones={vertex["Arn"]: _TONES.get(vertex["LineageType"], "quiet") for vertex in vertices},
            known=[],
            details=details,
            quote=lambda arn: quote(arn, safe=""),
            width=WIDTH,
            height=HEIGHT,
        )

    async def _entity(self, of: str) -> str | None:
        """The entity that stands for ``of``."""
        if any(segment in of for segment in ENTITIES):
            return of
        for operation, member, arn, asked in (
            ("ListTrialComponents", "TrialComponentSummaries", "TrialComponentArn", {"SourceArn": of}),
            ("ListContexts", "ContextSummaries", "ContextArn", {"SourceUri": of}),
            ("ListArtifacts", "ArtifactSummaries", "ArtifactArn", {"SourceUri": of}),
        ):
            found = (await ask_or(self._ask, "sagemaker", operation, asked, {member: []}))[member]
            if found:
                return str(found[0][arn])
        return None

    async def _around(self, start: str) -> tuple[list[Members], list[Members]]:
        vertices: dict[str, Members] = {}
        edges: dict[tuple[str, str], Members] = {}
        asked: Members = {"StartArns": [start], "Direction": "Both", "IncludeEdges": True}
        for _ in range(PAGES_MAX):
            answer = await self._ask("sagemaker", "QueryLineage", {**asked, "MaxResults": VERTICES_AT_ONCE})
            vertices |= {vertex["Arn"]: vertex for vertex in answer["Vertices"]}
            edges |= {(edge["SourceArn"], edge["DestinationArn"]): edge for edge in answer["Edges"]}
            if "NextToken" not in answer:
                break
            asked["NextToken"] = answer["NextToken"]
        return list(vertices.values()), list(edges.values())

    async def _addresses(self, vertices: list[Members]) -> dict[str, str]:
        """Of artifacts, whose ARNs tell nothing."""
        found: dict[str, str] = {}
        for vertex in vertices:
            if vertex["LineageType"] == "Artifact":
                asked = {"ArtifactArn": vertex["Arn"]}
                described = await ask_or(self._ask, "sagemaker", "DescribeArtifact", asked, {})
                found[vertex["Arn"]] = (described.get("Source") or {}).get("SourceUri", "")
        return found

    async def _details(self, arn: str) -> Members:
        kind, _, name = arn.split(":", 5)[5].partition("/")
        operation, asked = {
            "artifact": ("DescribeArtifact", {"ArtifactArn": arn}),
            "action": ("DescribeAction", {"ActionName": name}),
            "context": ("DescribeContext", {"ContextName": name}),
            "experiment-trial-component": ("DescribeTrialComponent", {"TrialComponentName": name}),
        }.get(kind, ("DescribeExperiment", {"ExperimentName": name}))
        return await self._ask("sagemaker", operation, asked)

    async def _newest(self) -> list[Members]:
        asked = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 50}
        answer = await self._ask("sagemaker", "ListTrialComponents", asked)
        return list(answer["TrialComponentSummaries"])


@dataclass(frozen=True, slots=True)
class _Entity:
    type: str
    branches: tuple[Any, ...] = ()


class _Lineage:
    """The answer of a query as what can be drawn; an edge that would close a circle is left out."""

    def __init__(self, vertices: Iterable[Members], edges: Iterable[Members]) -> None:
        self._types = {vertex["Arn"]: vertex.get("Type") or vertex["LineageType"] for vertex in vertices}
        self._above: dict[str, set[str]] = {arn: set() for arn in self._types}
        for edge in edges:
            source, destination = edge["SourceArn"], edge["DestinationArn"]
            if source in self._types and destination in self._types:
                self._above[destination].add(source)
        self._order = self._sorted()

    @property
    def order(self) -> tuple[str, ...]:
        return self._order

    def waits_for(self, name: str) -> set[str]:
        return self._above[name]

    def step(self, name: str) -> _Entity:
        return _Entity(self._types[name])

    def _sorted(self) -> tuple[str, ...]:
        done: dict[str, bool] = {}
        order: list[str] = []
        for first in sorted(self._types):
            stack = [(first, iter(sorted(self._above[first])))] if first not in done else []
            while stack:
                arn, rest = stack[-1]
                done.setdefault(arn, False)
                above = next(rest, None)
                if above is None:
                    done[arn] = True
                    order.append(arn)
                    stack.pop()
                elif above not in done:
                    stack.append((above, iter(sorted(self._above[above]))))
                elif not done[above]:
                    self._above[arn].discard(above)
        return tuple(order)


def picture(start: str, vertices: list[Members], edges: list[Members], addresses: dict[str, str]) -> Picture | None:
    """``None`` where there is nothing but the start, or too much to be looked at."""
    here = {"Arn": start, "LineageType": "", "Type": ""}
    known = vertices if any(vertex["Arn"] == start for vertex in vertices) else [*vertices, here]
    if len(known) < 2:
        return None
    found = picture_of(_Lineage(known, edges))
    if found is None:
        return None
    nodes = tuple(replace(node, label=_label(node.name, addresses)) for node in found.nodes)
    return replace(found, nodes=nodes)


def _label(arn: str, addresses: dict[str, str]) -> str:
    """The end of an address, the beginning of a name: what tells one from another."""
    address = addresses.get(arn)
    name = address or arn.rpartition("/")[2]
    if len(name) <= LABEL_MAX:
        return name
    return f"…{name[1 - LABEL_MAX :]}" if address else f"{name[: LABEL_MAX - 1]}…"
