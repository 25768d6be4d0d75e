"""Images one by one: put, read and deleted by tag or digest."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.image_registry import Repository, images, manifests
from cloche.engines.image_registry.errors import DigestDiffers, ImageReferenced, ImageUnknown, ManifestInvalid
from cloche.engines.image_registry.manifests import DIGEST, TAG
from cloche.services.ecr.access import registry_of, repository_of
from cloche.services.ecr.errors import invalid

DIGEST_RULE: Final = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
"""getmoto/moto, moto/ecr/models.py, recorded of AWS; so are the sentences of the other failures."""


@operation("PutImage")
def put_image(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "PutImage")
    tag = request.get("imageTag")
    if tag is not None and TAG.fullmatch(tag) is None:
        raise invalid("imageTag", f"must satisfy regular expression '{TAG.pattern}'")
    try:
        given = manifests.read(request["imageManifest"].encode(), request.get("imageManifestMediaType") or "")
    except ManifestInvalid as error:
        raise invalid("ImageManifest", f"Invalid image manifest provided: {error.message}") from None
    if request.get("imageDigest") not in (None, given.digest):
        raise DigestDiffers.of_image(request["imageDigest"], repository.name, repository.account)
    try:
        registry_of(ctx).put(repository, given, tag, again=False)
    except ManifestInvalid as error:
        raise invalid("ImageManifest", f"Invalid image manifest provided: {error.message}") from None
    image_id = {"imageDigest": given.digest, **({"imageTag": tag} if tag else {})}
    return {"image": _image(repository, image_id, given.content, given.media_type)}


@operation("BatchGetImage")
def batch_get_image(ctx: Context, request: Members) -> Members:
    """Manifests as they were put. A media type that the caller does not accept is as good as not there."""
    repository = repository_of(ctx, request, "BatchGetImage")
    accepted = request.get("acceptedMediaTypes")
    found: list[Members] = []
    failures: list[Members] = []
    registry, reader = registry_of(ctx), ctx.parts.database.reader
    for asked in request["imageIds"]:
        failure = _wrong(asked)
        image = None if failure else images.find(reader, repository, **_named(asked))
        if image is None or (accepted and image.media_type not in accepted):
            failures.append({"imageId": asked, **(failure or _not_found(reader, repository, asked))})
            continue
        registry.pulled(image)
        tag = asked.get("imageTag")
        image_id = {"imageDigest": image.digest, **({"imageTag": tag} if tag else {})}
        found.append(_image(repository, image_id, images.manifest(reader, image), image.media_type))
    return {"images": found, "failures": failures}


@operation("BatchDeleteImage")
def batch_delete_image(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "BatchDeleteImage")
    deleted: list[Members] = []
    failures: list[Members] = []
    reader = ctx.parts.database.reader
    for asked in request["imageIds"]:
        failure = _wrong(asked)
        image = None if failure else images.find(reader, repository, **_named(asked))
        if image is None:
            failures.append({"imageId": asked, **(failure or _not_found(reader, repository, asked))})
            continue
        try:
            gone = registry_of(ctx).delete_image(repository, **_named(asked))
        except ImageReferenced as error:
            failure = _failure("ImageReferencedByManifestList", error.message)
        except ImageUnknown:
            failure = _failure("ImageNotFound", "Requested image not found")
        if failure:
            failures.append({"imageId": asked, **failure})
            continue
        deleted.extend({"imageDigest": image.digest, "imageTag": tag} for tag in gone)
        if not gone:
            deleted.append({"imageDigest": image.digest})
    return {"imageIds": deleted, "failures": failures}


def _named(asked: Members) -> dict[str, Any]:
    return {"digest": asked.get("imageDigest"), "tag": asked.get("imageTag")}


def _wrong(asked: Members) -> Members | None:
    """What is wrong with an identifier by its form alone."""
    digest, tag = asked.get("imageDigest"), asked.get("imageTag")
    if digest is None and tag is None:
        return _failure("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    if digest is not None and DIGEST.fullmatch(digest) is None:
        return _failure("InvalidImageDigest", DIGEST_RULE)
    if tag is not None and TAG.fullmatch(tag) is None:
        return _failure(
            "InvalidImageTag", f"Invalid request parameters: image tag should satisfy the regex '{TAG.pattern}'"
        )
    return None


def _not_found(reader: Any, repository: Repository, asked: Members) -> Members:
    digest, tag = asked.get("imageDigest"), asked.get("imageTag")
    if digest and tag and images.find(reader, repository, tag=tag) is not None:
        return _failure("ImageTagDoesNotMatchDigest", f"The image tag '{tag}' does not match the digest '{digest}'")
    return _failure("ImageNotFound", "Requested image not found")


def _failure(code: str, reason: str) -> Members:
    return {"failureCode": code, "failureReason": reason}


def _image(repository: Repository, image_id: Members, content: bytes, media_type: str) -> Members:
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageId": image_id,
        "imageManifest": content.decode(),
        "imageManifestMediaType": media_type,
    }
