"""QueryLineage, and the one lineage group that every account has."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.lineage import vertices, walking
from cloche.engines.lineage.edges import Edge
from cloche.engines.lineage.vertices import Vertex
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.lineage.facts import GROUP, absent
from cloche.storage.metadata import records

DEPTH_MAX: Final = 10
PAGE_MAX: Final = 50
"""Both are maxima in the model, and taken where nothing is said."""
MISSING: Final = absent("Lineage entity")
MISSING_GROUP: Final = absent("LineageGroup")
_SCANNED: Final = ("Artifact", "Action", "Context", "TrialComponent")


@operation("QueryLineage", reads=True)
def query_lineage(ctx: Context, request: Members) -> Members:
    """Vertices come nearest first. With ``IncludeEdges`` those on the way to what fits come too, with the edges."""
    reader = ctx.parts.database.reader
    filters = request.get("Filters") or {}
    found = _Found()
    starts = request.get("StartArns") or ()
    if starts:
        for arn in starts:
            _from(ctx, reader, request, filters, arn, found)
    else:
        found.take({vertex.arn: 0 for vertex in _every(ctx, reader) if _fits(vertex, filters)})
    return _page(reader, request, found)


class _Found:
    """ARNs with their distance, and edges once each."""

    def __init__(self) -> None:
        self.depth: dict[str, int] = {}
        self.edges: dict[tuple[str, str], Edge] = {}

    def take(self, depth: dict[str, int], edges: list[Edge] | None = None) -> None:
        for arn, far in depth.items():
            self.depth[arn] = min(far, self.depth.get(arn, far))
        for edge in edges or ():
            self.edges[edge.source, edge.destination] = edge


def _from(
    ctx: Context, reader: sqlite3.Connection, request: Members, filters: Members, start: str, found: _Found
) -> None:
    record = vertices.find(reader, start)
    if record is None or (record.account, record.region) != (ctx.account, ctx.region):
        raise MISSING.error(name=start)
    direction = request.get("Direction", "Both")
    with_edges = request.get("IncludeEdges", False)
    for upwards in (True, False):
        if direction == ("Descendants" if upwards else "Ascendants"):
            continue
        way = walking.walk(reader, start, upwards=upwards, depth_max=request.get("MaxDepth", DEPTH_MAX))
        there = vertices.read(reader, way.depth)
        wanted = {arn for arn, vertex in there.items() if arn != start and _fits(vertex, filters)}
        edges: list[Edge] = []
        if with_edges:
            wanted, edges = walking.on_paths(way, wanted, upwards=upwards)
        found.take({arn: way.depth[arn] for arn in wanted}, edges)


def _every(ctx: Context, reader: sqlite3.Connection) -> list[Vertex]:
    kinds = [kind for kind, shown in vertices.KINDS.items() if shown in _SCANNED]
    marks = ", ".join("?" * len(kinds))
    rows = reader.execute(
        f"SELECT * FROM records WHERE account = ? AND region = ? AND kind IN ({marks})",  # noqa: S608 - marks only
        (ctx.account, ctx.region, *kinds),
    )
    return [vertices.vertex_of(records.from_row(row)) for row in rows]


def _fits(vertex: Vertex, filters: Members) -> bool:
    """Every filter given; of several properties any (API_QueryFilters)."""
    if "Types" in filters and vertex.type not in filters["Types"]:
        return False
    if "LineageTypes" in filters and vertex.kind not in filters["LineageTypes"]:
        return False
    if "Properties" in filters and not any(vertex.properties.get(k) == v for k, v in filters["Properties"].items()):
        return False
    return (
        _is_before(vertex.created_at, filters.get("CreatedBefore"))
        and not _is_before(vertex.created_at, filters.get("CreatedAfter"), otherwise=False)
        and _is_before(vertex.modified_at, filters.get("ModifiedBefore"))
        and not _is_before(vertex.modified_at, filters.get("ModifiedAfter"), otherwise=False)
    )


def _is_before(at: float, moment: datetime | None, *, otherwise: bool = True) -> bool:
    return otherwise if moment is None else at < moment.timestamp()


def _page(reader: sqlite3.Connection, request: Members, found: _Found) -> Members:
    """A token holds the distance and ARN of the last vertex: the graph may grow between pages."""
    ordered = sorted((depth, arn) for arn, depth in found.depth.items())
    question: list[Any] = [
        "QueryLineage",
        *(request.get(name) for name in ("StartArns", "Direction", "IncludeEdges", "MaxDepth")),
        {k: v.timestamp() if isinstance(v, datetime) else v for k, v in (request.get("Filters") or {}).items()},
    ]
    secret = records.page_secret(reader)
    if token := request.get("NextToken"):
        after = tokens.unseal(secret, question, token)
        ordered = [each for each in ordered if each > tuple(after)]
    size = request.get("MaxResults", PAGE_MAX)
    if size < 1:
        raise Invalid("MaxResults must be at least 1", field="MaxResults")
    shown = ordered[:size]
    there = vertices.read(reader, [arn for _, arn in shown])
    arns = {arn for _, arn in shown}
    answer: Members = {
        "Vertices": [_vertex(there[arn]) for _, arn in shown if arn in there and there[arn].kind != "Experiment"],
        # An edge comes with the page that has the farther of its ends.
        "Edges": [_edge(edge) for edge in found.edges.values() if _farther(edge, found.depth) in arns],
    }
    if len(ordered) > size:
        answer["NextToken"] = tokens.seal(secret, question, shown[-1])
    return answer


def _farther(edge: Edge, depth: dict[str, int]) -> str:
    return max(edge.source, edge.destination, key=lambda arn: (depth.get(arn, -1), arn))


def _vertex(vertex: Vertex) -> Members:
    members = {"Arn": vertex.arn, "LineageType": vertex.kind}
    return {**members, "Type": vertex.type} if vertex.type else members


def _edge(edge: Edge) -> Members:
    members = {"SourceArn": edge.source, "DestinationArn": edge.destination}
    return {**members, "AssociationType": edge.kind} if edge.kind else members


# -- the group -------------------------------------------------------------------------------------------------------


@operation("DescribeLineageGroup", reads=True)
def describe_lineage_group(ctx: Context, request: Members) -> Members:
    if request["LineageGroupName"] != GROUP:
        raise MISSING_GROUP.error(name=request["LineageGroupName"])
    return _group(ctx)


@operation("ListLineageGroups", reads=True)
def list_lineage_groups(ctx: Context, request: Members) -> Members:
    if request.get("NextToken"):
        raise Invalid("NextToken is not valid", field="NextToken")
    group = _group(ctx)
    made = group["CreationTime"]
    fits = made >= request.get("CreatedAfter", made) and made < request.get("CreatedBefore", ctx.now)
    return {"LineageGroupSummaries": [group] if fits else []}


@operation("GetLineageGroupPolicy", reads=True)
def get_lineage_group_policy(ctx: Context, request: Members) -> Members:
    """Lineage is shared with nobody here, so there is a group and no policy."""
    name = request["LineageGroupName"].rpartition("/")[2]
    if name != GROUP:
        raise MISSING_GROUP.error(name=name)
    return {"LineageGroupArn": _group(ctx)["LineageGroupArn"]}


def _group(ctx: Context) -> Members:
    """It is as old as the store."""
    row = ctx.parts.database.reader.execute("SELECT min(applied_at) FROM migrations").fetchone()
    made = datetime.fromisoformat(row[0])
    return {
        "LineageGroupName": GROUP,
        "LineageGroupArn": f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:lineage-group/{GROUP}",
        "DisplayName": GROUP,
        "CreationTime": made,
        "LastModifiedTime": made,
    }
