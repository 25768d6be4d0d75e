"""Associations between lineage entities, and their lists."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import fact, tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.engines.lineage import edges, vertices
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists
from cloche.services.sagemaker.lineage.facts import absent
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

MISSING: Final = absent("Lineage entity")
NOT_ASSOCIATED: Final = fact(
    "ResourceNotFound",
    "There is no association from {source} to {destination}.",
    source="code: errors of DeleteAssociation in the model; words: Cloche's own",
)
DUPLICATE: Final = fact(
    "ValidationException",
    "Association from {source} to {destination} already exists.",
    source='code and "already exists": is_already_exist_error of sagemaker.experiments._utils (SDK v2)',
)
BOTH_EXPERIMENTS: Final = fact(
    "ValidationException",
    "An association needs an artifact, an action or a context at one of its ends: {source}, {destination}",
    source="rule: aws/sagemaker-experiments#157; words: Cloche's own",
)
OF_ITSELF: Final = fact(
    "ValidationException", "{source} cannot be associated with itself", source="Cloche's own: a graph without loops"
)
_ORDERS: Final = {
    "SourceArn": ("source", "id"),
    "DestinationArn": ("destination", "id"),
    "SourceType": ("source_type", "id"),
    "DestinationType": ("destination_type", "id"),
    "CreationTime": ("at", "id"),
}
_TYPED: Final = "({0}_type = ? OR instr({0}, ?) > 0)"
_SEGMENTS: Final = {"Artifact": "artifact", "Action": "action", "Context": "context"}
"""SDK v2 filters by an entity's kind where it has a type for a name (sagemaker.lineage.artifact: ``endpoints``)."""


@operation("AddAssociation")
def add_association(ctx: Context, request: Members) -> Members:
    source_arn, destination_arn = request["SourceArn"], request["DestinationArn"]
    named = {"source": source_arn, "destination": destination_arn}
    if source_arn == destination_arn:
        raise OF_ITSELF.error(**named)

    def change(tx: sqlite3.Connection) -> None:
        source, destination = _find(ctx, tx, source_arn), _find(ctx, tx, destination_arn)
        if {source.kind, destination.kind} <= {vertices.COMPONENT, vertices.EXPERIMENT}:
            raise BOTH_EXPERIMENTS.error(**named)
        ends = vertices.end_of(source), vertices.end_of(destination)
        kind = request.get("AssociationType", "")
        edges.add(tx, ctx.account, ctx.region, *ends, kind, ctx.now.timestamp())

    try:
        ctx.parts.database.write(change)
    except AlreadyExists:
        raise DUPLICATE.error(**named) from None
    return {"SourceArn": source_arn, "DestinationArn": destination_arn}


@operation("DeleteAssociation")
def delete_association(ctx: Context, request: Members) -> Members:
    source, destination = request["SourceArn"], request["DestinationArn"]

    def change(tx: sqlite3.Connection) -> None:
        _find(ctx, tx, source)
        if not edges.remove(tx, source, destination):
            raise NOT_ASSOCIATED.error(source=source, destination=destination)

    ctx.parts.database.write(change)
    return {"SourceArn": source, "DestinationArn": destination}


@operation("ListAssociations", reads=True)
def list_associations(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    conditions, arguments = _conditions(ctx, request)
    order = request.get("SortBy", "CreationTime"), request.get("SortOrder", "Descending")
    question: list[Any] = ["ListAssociations", conditions, arguments, order]
    token = request.get("NextToken")
    walk = Walk("lineage_edges", _ORDERS[order[0]], order[1] == "Descending", tuple(conditions), tuple(arguments))
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("MaxResults", PAGE_DEFAULT))
    ends = vertices.read(reader, {row[end] for row in page.rows for end in ("source", "destination")})
    answer: Members = {"AssociationSummaries": [_summary(row, ends) for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _conditions(ctx: Context, request: Members) -> tuple[list[str], list[Any]]:
    conditions, arguments = ["account = ?", "region = ?"], [ctx.account, ctx.region]
    for member, condition in (
        ("SourceArn", "source = ?"),
        ("DestinationArn", "destination = ?"),
        ("AssociationType", "kind = ?"),
    ):
        if member in request:
            conditions.append(condition)
            arguments.append(request[member])
    for member, end in (("SourceType", "source"), ("DestinationType", "destination")):
        if member in request:
            conditions.append(_TYPED.format(end))
            segment = _SEGMENTS.get(request[member])
            arguments += [request[member], f":{segment}/" if segment else "\0"]
    for member, condition in (("CreatedAfter", "at >= ?"), ("CreatedBefore", "at < ?")):
        if member in request:
            conditions.append(condition)
            arguments.append(request[member].timestamp())
    return conditions, arguments


def _summary(row: sqlite3.Row, ends: dict[str, vertices.Vertex]) -> Members:
    summary: Members = {
        "SourceArn": row["source"],
        "DestinationArn": row["destination"],
        "SourceType": row["source_type"] or None,
        "DestinationType": row["destination_type"] or None,
        "AssociationType": row["kind"] or None,
        "CreationTime": from_epoch(row["at"]),
    }
    for member, end in (("SourceName", "source"), ("DestinationName", "destination")):
        vertex = ends.get(row[end])
        summary[member] = vertex.name or None if vertex is not None else None
    return {name: value for name, value in summary.items() if value is not None}


def _find(ctx: Context, connection: sqlite3.Connection, arn: str) -> Record:
    record = vertices.find(connection, arn)
    if record is None or (record.account, record.region) != (ctx.account, ctx.region):
        raise MISSING.error(name=arn)
    return record
