"""Artifacts: data that has an address. An artifact is its source: the same address with the same versions is one.

So its ARN is made of the source, its name is only a label, and describing, updating and deleting go by the ARN. That
is not how other nouns are identified, hence plain operations.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.aws.resource.family import Family
from cloche.aws.resource.listing import PAGE_DEFAULT, Listing, derive_listing
from cloche.engines.lineage.entities import artifact_name
from cloche.engines.lineage.vertices import ARTIFACT
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Invalid
from cloche.services.sagemaker.lineage.facts import absent, check_free, group_arn, taken, updated_properties
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import read_page
from cloche.storage.metadata.records import Record

MISSING: Final = absent("Artifact")
DUPLICATE: Final = taken("Artifact")


def name_of(source: Members) -> str:
    types = tuple((each["SourceIdType"], each["Value"]) for each in source.get("SourceTypes") or ())
    return artifact_name(source["SourceUri"], types)


@operation("CreateArtifact")
def create_artifact(ctx: Context, request: Members) -> Members:
    name = name_of(request["Source"])
    arn = f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:artifact/{name}"
    pairs = tagging.tag_pairs(request.get("Tags") or ())

    def insert(tx: sqlite3.Connection) -> None:
        records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=ARTIFACT,
            name=name,
            arn=arn,
            at=ctx.now.timestamp(),
            request={key: value for key, value in request.items() if key != "Tags"},
        )
        tagging.add_tags(tx, arn, pairs)

    try:
        ctx.parts.database.write(insert)
    except AlreadyExists:
        raise DUPLICATE.error(name=request["Source"]["SourceUri"]) from None
    return {"ArtifactArn": arn}


@operation("DescribeArtifact", reads=True)
def describe_artifact(ctx: Context, request: Members) -> Members:
    record = _find(ctx, ctx.parts.database.reader, request["ArtifactArn"])
    return {**_members(record), "LineageGroupArn": group_arn(record)}


@operation("ListArtifacts", reads=True)
def list_artifacts(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question = _listing().question(ctx.account, ctx.region, request)
    token = request.get("NextToken")
    after = tokens.unseal(secret, question, token) if token else None
    walk = _listing().walk(ctx.account, ctx.region, request)
    page = read_page(reader, walk, after=after, size=request.get("MaxResults", PAGE_DEFAULT))
    found = (records.read_by_id(reader, row["id"]) for row in page.rows)
    answer: Members = {"ArtifactSummaries": [_summary(record) for record in found if record is not None]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("UpdateArtifact")
def update_artifact(ctx: Context, request: Members) -> Members:
    def change(tx: sqlite3.Connection) -> None:
        record = _find(ctx, tx, request["ArtifactArn"])
        kept = updated_properties(record, {key: value for key, value in request.items() if key != "ArtifactArn"})
        records.replace_request(tx, record.arn, kept, ctx.now.timestamp())

    ctx.parts.database.write(change)
    return {"ArtifactArn": request["ArtifactArn"]}


@operation("DeleteArtifact")
def delete_artifact(ctx: Context, request: Members) -> Members:
    if ("ArtifactArn" in request) == ("Source" in request):
        # "Either ArtifactArn or Source must be specified." (API_DeleteArtifact)
        raise Invalid("Specify either ArtifactArn or Source", field="ArtifactArn")

    def change(tx: sqlite3.Connection) -> str:
        if "Source" in request:
            name = name_of(request["Source"])
            record = _named(ctx, tx, name, request["Source"]["SourceUri"])
        else:
            record = _find(ctx, tx, request["ArtifactArn"])
        check_free(tx, record)
        records.remove(tx, record.arn)
        return record.arn

    return {"ArtifactArn": ctx.parts.database.write(change)}


@cache
def _listing() -> Listing:
    family = Family("sagemaker", ("CreateArtifact", "ListArtifacts"))
    own = {"SourceUri": "json_extract(request, '$.Source.SourceUri') = ?"}
    return derive_listing(family, "ListArtifacts", ARTIFACT, ("CreationTime", "Descending"), own)


def _find(ctx: Context, connection: sqlite3.Connection, arn: str) -> Record:
    found = Arn.try_parse(arn)
    if found is None or (found.region, found.account) != (ctx.region, ctx.account):
        raise MISSING.error(name=arn)
    return _named(ctx, connection, found.name, arn)


def _named(ctx: Context, connection: sqlite3.Connection, name: str, said: str) -> Record:
    record = records.find(connection, ctx.account, ctx.region, ARTIFACT, name)
    if record is None:
        raise MISSING.error(name=said)
    return record


def _members(record: Record) -> dict[str, Any]:
    return {
        **record.request,
        "ArtifactArn": record.arn,
        "CreationTime": from_epoch(record.created_at),
        "LastModifiedTime": from_epoch(record.modified_at),
    }


def _summary(record: Record) -> Members:
    members = _members(record)
    return {
        name: members[name]
        for name in ("ArtifactArn", "ArtifactName", "Source", "ArtifactType", "CreationTime", "LastModifiedTime")
        if name in members
    }
