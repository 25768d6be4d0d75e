"""Layers by ECR's own operations, beside the registry protocol's: asked for, sent in parts, downloaded by a link."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.image_registry import Repository, layers
from cloche.engines.image_registry.errors import DigestDiffers, LayersUnknown, OutOfOrder
from cloche.engines.image_registry.manifests import DIGEST
from cloche.foundation.limits import LAYER_PART_BYTES_MIN, MIB
from cloche.services.ecr.access import registry_of, repository_of

PART_BYTES: Final = 10 * MIB
"""What InitiateLayerUpload suggests: the most that a part should have (service-quotas.html)."""
LAYER_TYPE: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
"""What is told of every layer: the registry knows a blob's bytes, and manifests what they are."""


@operation("BatchCheckLayerAvailability", reads=True)
def batch_check_layer_availability(ctx: Context, request: Members) -> Members:
    """Words of the failures: getmoto/moto, moto/ecr/models.py."""
    repository = repository_of(ctx, request, "BatchCheckLayerAvailability")
    found: list[Members] = []
    failures: list[Members] = []
    for digest in request["layerDigests"]:
        if DIGEST.fullmatch(digest) is None:
            code, reason = "InvalidLayerDigest", f"Invalid layer digest '{digest}'"
        elif (size := registry_of(ctx).layer_size(repository, digest)) is None:
            code, reason = "MissingLayerDigest", f"Layer digest '{digest}' could not be found"
        else:
            layer = {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size}
            found.append({**layer, "mediaType": LAYER_TYPE})
            continue
        failures.append({"layerDigest": digest, "failureCode": code, "failureReason": reason})
    return {"layers": found, "failures": failures}


@operation("GetDownloadUrlForLayer", reads=True)
def get_download_url_for_layer(ctx: Context, request: Members) -> Members:
    """Only for a layer that an image needs (API_GetDownloadUrlForLayer.html)."""
    repository, digest = repository_of(ctx, request, "GetDownloadUrlForLayer"), request["layerDigest"]
    reader = ctx.parts.database.reader
    if DIGEST.fullmatch(digest) is None or layers.size(reader, repository, digest) is None:
        raise LayersUnknown([digest], repository.name, repository.account)
    if not layers.is_used(reader, repository, digest):
        raise AwsError(  # the model's words for it
            "LayerInaccessibleException",
            "The specified layer is not available because it is not associated with an image. Unassociated image "
            "layers may be cleaned up at any time.",
        )
    return {"downloadUrl": registry_of(ctx).link(digest), "layerDigest": digest}


@operation("InitiateLayerUpload")
def initiate_layer_upload(ctx: Context, request: Members) -> Members:
    repository = repository_of(ctx, request, "InitiateLayerUpload")
    return {"uploadId": registry_of(ctx).uploads.begin(repository), "partSize": PART_BYTES}


@operation("UploadLayerPart")
def upload_layer_part(ctx: Context, request: Members) -> Members:
    repository, id = repository_of(ctx, request, "UploadLayerPart"), request["uploadId"]
    part, first, last = request["layerPartBlob"], request["partFirstByte"], request["partLastByte"]
    with registry_of(ctx).uploads.hold(repository, id) as held:
        if first != held.size or last - first + 1 != len(part):
            raise _out_of_order(OutOfOrder(id, repository.name, repository.account, held.size), repository, id)
        held.append(part)
        ctx.parts.database.write(lambda tx: _count(tx, id, len(part)))
        size = held.size
    return {**_place(repository), "uploadId": id, "lastByteReceived": size - 1}


@operation("CompleteLayerUpload")
def complete_layer_upload(ctx: Context, request: Members) -> Members:
    repository, id = repository_of(ctx, request, "CompleteLayerUpload"), request["uploadId"]
    registry, reader = registry_of(ctx), ctx.parts.database.reader
    with registry.uploads.hold(repository, id) as held:
        if held.size == 0:
            raise AwsError("EmptyUploadException", "The specified layer upload does not contain any layer parts.")
        short = reader.execute("SELECT has_short_part FROM image_uploads WHERE id = ?", (id,)).fetchone()
        if short is not None and short[0]:
            raise AwsError("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size.")
        if layers.size(reader, repository, held.digest) is not None:
            raise AwsError(
                "LayerAlreadyExistsException", "The image layer already exists in the associated repository."
            )
        try:
            digest = held.finish(request["layerDigests"])
        except DigestDiffers as error:
            raise AwsError("InvalidLayerException", error.message) from None
    return {**_place(repository), "uploadId": id, "layerDigest": digest}


def _count(tx: sqlite3.Connection, id: str, size: int) -> None:
    """Every part but the last must have its least size, and only the next tells which was the last."""
    tx.execute(
        "UPDATE image_uploads SET has_short_part = has_short_part OR coalesce(last_part_bytes < ?, 0),"
        " last_part_bytes = ? WHERE id = ?",
        (LAYER_PART_BYTES_MIN, size, id),
    )


def _out_of_order(error: OutOfOrder, repository: Repository, id: str) -> AwsError:
    fields = {"uploadId": id, "lastValidByteReceived": max(error.size - 1, 0), **_place(repository)}
    return AwsError("InvalidLayerPartException", error.message, fields=fields)


def _place(repository: Repository) -> Members:
    return {"registryId": repository.account, "repositoryName": repository.name}
