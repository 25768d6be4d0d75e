"""What images a repository has: identifiers, descriptions, and what refers to one. Pages walk an index."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.image_registry import Repository, images
from cloche.engines.image_registry.images import COLUMNS, Image
from cloche.engines.image_registry.manifests import DIGEST
from cloche.foundation.clock import from_epoch
from cloche.services.ecr.access import repository_of
from cloche.services.ecr.errors import invalid
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Page, Walk, read_page

PAGE_DEFAULT: Final = 100
"""API_ListImages.html, API_DescribeImages.html: "up to 100 results" where maxResults is not used."""
REFERRERS_DEFAULT: Final = 50
_TAGGED: Final = (
    "EXISTS (SELECT 1 FROM image_tags t WHERE t.repository = images.repository AND t.digest = images.digest)"
)
_STATUS: Final = {"TAGGED": (_TAGGED,), "UNTAGGED": (f"NOT {_TAGGED}",)}
_LISTED: Final = (
    "(SELECT i.repository, i.digest, coalesce(t.tag, '') AS tag FROM images i"
    " LEFT JOIN image_tags t ON t.repository = i.repository AND t.digest = i.digest)"
)


@operation("ListImages", reads=True)
def list_images(ctx: Context, request: Members) -> Members:
    """Each image once for each of its tags, or once without."""
    repository = repository_of(ctx, request, "ListImages")
    chosen = {"TAGGED": ("tag != ''",), "UNTAGGED": ("tag = ''",)}.get(_status(request), ())
    walk = Walk(_LISTED, ("digest", "tag"), conditions=("repository = ?", *chosen), arguments=(repository.id,))
    page, token = _page(ctx, "ListImages", repository, request, walk, PAGE_DEFAULT)
    found = [{"imageDigest": row["digest"], **({"imageTag": row["tag"]} if row["tag"] else {})} for row in page.rows]
    return {"imageIds": found if _wants_active(request) else [], **token}


@operation("DescribeImages", reads=True)
def describe_images(ctx: Context, request: Members) -> Members:
    repository, reader = repository_of(ctx, request, "DescribeImages"), ctx.parts.database.reader
    if asked := request.get("imageIds"):
        if any(member in request for member in ("nextToken", "maxResults", "filter")):
            raise invalid("imageIds", "imageIds cannot be used with nextToken, maxResults or filter")
        found: dict[str, Image] = {}
        for each in asked:
            if not each:
                raise invalid("imageIds", "Invalid request parameters: both tag and digest cannot be null")
            image = images.get(reader, repository, digest=each.get("imageDigest"), tag=each.get("imageTag"))
            found[image.digest] = image
        return {"imageDetails": [_detail(reader, repository, image) for image in found.values()]}
    conditions = ("repository = ?", *_STATUS.get(_status(request), ()))
    walk = Walk("images", ("id",), conditions=conditions, arguments=(repository.id,), columns=COLUMNS)
    page, token = _page(ctx, "DescribeImages", repository, request, walk, PAGE_DEFAULT)
    details = [_detail(reader, repository, images.of_row(row)) for row in page.rows]
    return {"imageDetails": details if _wants_active(request) else [], **token}


@operation("ListImageReferrers", reads=True)
def list_image_referrers(ctx: Context, request: Members) -> Members:
    """Artifacts whose manifests name the image as their subject."""
    repository = repository_of(ctx, request, "ListImageReferrers")
    subject, chosen = request["subjectId"]["imageDigest"], request.get("filter") or {}
    if DIGEST.fullmatch(subject) is None:
        raise invalid("subjectId.imageDigest", f"must satisfy regular expression '{DIGEST.pattern}'")
    types = list(chosen.get("artifactTypes") or ())
    conditions = ["repository = ?", "subject = ?"]
    if types:
        conditions.append(f"artifact_type IN ({', '.join('?' * len(types))})")
    walk = Walk(
        "images", ("digest",), conditions=tuple(conditions), arguments=(repository.id, subject, *types), columns=COLUMNS
    )
    page, token = _page(ctx, "ListImageReferrers", repository, request, walk, REFERRERS_DEFAULT)
    found = [_referrer(images.of_row(row)) for row in page.rows]
    active = chosen.get("artifactStatus") in (None, "ACTIVE", "ANY")
    return {"referrers": found if active else [], **token}


def _status(request: Members) -> str:
    return str((request.get("filter") or {}).get("tagStatus") or "ANY")


def _wants_active(request: Members) -> bool:
    """All images are; Cloche has no archive storage class."""
    return (request.get("filter") or {}).get("imageStatus") in (None, "ACTIVE", "ANY")


def _page(
    ctx: Context, name: str, repository: Repository, request: Members, walk: Walk, default: int
) -> tuple[Page, Members]:
    reader, token = ctx.parts.database.reader, request.get("nextToken")
    secret = records.page_secret(reader)
    question: list[Any] = [name, repository.id, request.get("filter"), request.get("subjectId")]
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("maxResults") or default)
    return page, ({"nextToken": tokens.seal(secret, question, page.last)} if page.last is not None else {})


def _detail(reader: sqlite3.Connection, repository: Repository, image: Image) -> Members:
    tags = images.tags_of(reader, repository, image.digest)
    detail: Members = {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        **({"imageTags": tags} if tags else {}),
        "imageSizeInBytes": image.size,
        "imagePushedAt": from_epoch(image.pushed_at),
        "imageManifestMediaType": image.media_type,
        "imageStatus": "ACTIVE",
    }
    if image.artifact_type:
        detail["artifactMediaType"] = image.artifact_type
    if image.pulled_at is not None:
        detail["lastRecordedPullTime"] = from_epoch(image.pulled_at)
    if image.subject is not None:
        detail["subjectManifestDigest"] = image.subject
    return detail


def _referrer(image: Image) -> Members:
    return {
        "digest": image.digest,
        "mediaType": image.media_type,
        "size": image.manifest_bytes,
        "artifactStatus": "ACTIVE",
        **({"artifactType": image.artifact_type} if image.artifact_type else {}),
        **({"annotations": dict(image.annotations)} if image.annotations else {}),
    }
