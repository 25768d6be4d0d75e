"""What is written: uploads, manifests, deletions.

A layer comes in pieces that go to a thread as they come, so that the next one arrives while one is hashed and written;
no more than two of them are in memory. What a request brought and was answered for is in the upload's file.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from cloche.aws.http import HttpResponse
from cloche.engines.image_registry import ImageRegistry, Repository, manifests
from cloche.engines.image_registry.errors import DigestDiffers, LayersUnknown, RepositoryUnknown
from cloche.engines.image_registry.manifests import DIGEST, MANIFEST_BYTES_MAX
from cloche.engines.image_registry.registry import MOUNTING
from cloche.engines.image_registry.uploads import Held
from cloche.foundation.limits import LAYER_BYTES_MAX, MIB
from cloche.server.receiving import Arriving, declared_length
from cloche.server.registry.addresses import Asked
from cloche.server.registry.callers import Asking
from cloche.server.registry.refusals import Refused, digest_invalid

BATCH_BYTES: Final = MIB
THREADS: Final = 8
_RANGE: Final = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/.*)?")
T = TypeVar("T")


@cache
def threads() -> ThreadPoolExecutor:
    """Where layers are hashed and written: its own pool, for waiting for a disk must keep no other request waiting."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="image-bytes")


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads(), work, *arguments)


class Pushing:
    def __init__(self, registry: ImageRegistry) -> None:
        self._registry = registry

    # -- layers --------------------------------------------------------------------------------------------

    async def begin(self, asking: Asking, asked: Asked, arriving: Arriving) -> HttpResponse:
        """A new upload; a whole layer at once, with ``digest``; or, with ``mount``, one that another repository has."""
        query = _query(asking)
        if "mount" in query and (mounted := await _in_thread(self._mount, asking, asked, query)):
            return mounted
        repository = await _in_thread(asking.repository, asked.name, "InitiateLayerUpload")
        id = await _in_thread(self._registry.uploads.begin, repository)
        if "digest" not in query:
            return _accepted(repository, id, 0)
        try:
            async with _Holding(self._registry, repository, id) as held:
                await _receive(arriving, held)
                return await _in_thread(self._finish, held, query["digest"])
        except BaseException:
            await _in_thread(self._registry.uploads.give_up, repository, id)
            raise

    def _mount(self, asking: Asking, asked: Asked, query: dict[str, str]) -> HttpResponse | None:
        """``None`` where the layer has to be sent after all ("Mounting a blob from another repository")."""
        target = asking.repository(asked.name, "InitiateLayerUpload")
        digest, source = query["mount"], query.get("from", "")
        if DIGEST.fullmatch(digest) is None:
            raise digest_invalid()
        if self._registry.document(asking.account, asking.region, MOUNTING) == "DISABLED":
            return None
        try:
            origin = asking.repository(source, "GetDownloadUrlForLayer") if source else target
        except RepositoryUnknown:
            return None
        return _created(target, digest) if self._registry.mount(origin, target, digest) else None

    async def append(self, asking: Asking, asked: Asked, arriving: Arriving) -> HttpResponse:
        repository = await _in_thread(asking.repository, asked.name, "UploadLayerPart")
        async with _Holding(self._registry, repository, asked.reference) as held:
            _check_place(asking, held)
            await _receive(arriving, held)
            return _accepted(repository, held.id, held.size)

    async def complete(self, asking: Asking, asked: Asked, arriving: Arriving) -> HttpResponse:
        """With the last piece, if there is one more."""
        digest = _query(asking).get("digest", "")
        if DIGEST.fullmatch(digest) is None:
            raise digest_invalid()
        repository = await _in_thread(asking.repository, asked.name, "CompleteLayerUpload")
        async with _Holding(self._registry, repository, asked.reference) as held:
            _check_place(asking, held)
            await _receive(arriving, held)
            return await _in_thread(self._finish, held, digest)

    def _finish(self, held: Held, digest: str) -> HttpResponse:
        if DIGEST.fullmatch(digest) is None:
            raise digest_invalid()
        return _created(held.repository, held.finish([digest]))

    def status(self, asking: Asking, asked: Asked) -> HttpResponse:
        repository = asking.repository(asked.name, "UploadLayerPart")
        with self._registry.uploads.hold(repository, asked.reference) as held:
            return HttpResponse(204, _upload_headers(repository, held.id, held.size))

    def cancel(self, asking: Asking, asked: Asked) -> HttpResponse:
        repository = asking.repository(asked.name, "UploadLayerPart")
        self._registry.uploads.cancel(repository, asked.reference)
        return HttpResponse(204)

    def delete_blob(self, asking: Asking, asked: Asked) -> HttpResponse:
        repository = asking.repository(asked.name, "BatchDeleteImage")
        self._registry.delete_layer(repository, asked.reference)
        return HttpResponse(202)

    # -- manifests -----------------------------------------------------------------------------------------

    async def put_manifest(self, asking: Asking, asked: Asked, arriving: Arriving) -> HttpResponse:
        repository = await _in_thread(asking.repository, asked.name, "PutImage")
        content = await arriving.whole(MANIFEST_BYTES_MAX)
        return await _in_thread(self._put_manifest, asking, repository, asked.reference, content)

    def _put_manifest(self, asking: Asking, repository: Repository, reference: str, content: bytes) -> HttpResponse:
        given = manifests.read(content, asking.context.http.headers.get("content-type"))
        by_digest = DIGEST.fullmatch(reference) is not None
        if by_digest and reference != given.digest:
            raise DigestDiffers.of_image(reference, repository.name, repository.account)
        try:
            self._registry.put(repository, given, None if by_digest else reference, again=True)
        except LayersUnknown as error:
            raise Refused("MANIFEST_BLOB_UNKNOWN", error.message, 400, error.digests) from None
        headers = [
            ("location", f"/v2/{repository.name}/manifests/{reference}"),
            ("docker-content-digest", given.digest),
        ]
        if given.subject is not None:
            headers.append(("oci-subject", given.subject))
        return HttpResponse(201, headers)

    def delete_manifest(self, asking: Asking, asked: Asked) -> HttpResponse:
        """By digest, the image with its tags; by a tag, only that ("Content Management")."""
        repository = asking.repository(asked.name, "BatchDeleteImage")
        if DIGEST.fullmatch(asked.reference):
            self._registry.delete_image(repository, digest=asked.reference)
        else:
            self._registry.untag(repository, asked.reference)
        return HttpResponse(202)


class _Holding:
    """An upload held by a request of the loop: taken and let go in threads, for its file may have to be read."""

    def __init__(self, registry: ImageRegistry, repository: Repository, id: str) -> None:
        self._taking = registry.uploads.hold(repository, id)
        self._stack = ExitStack()

    async def __aenter__(self) -> Held:
        return await _in_thread(self._stack.enter_context, self._taking)

    async def __aexit__(self, *error: object) -> None:
        await asyncio.shield(_in_thread(self._stack.close))


async def _receive(arriving: Arriving, held: Held) -> None:
    """Append the body to an upload. Raises what appending raises, and ``Disconnected``; what came until then stays."""
    most = LAYER_BYTES_MAX - held.size
    flying: asyncio.Future[None] | None = None
    try:
        async for batch in _batches(arriving.pieces(most)):
            if flying is not None:
                await flying
            flying = asyncio.ensure_future(_in_thread(_append, held, batch))
    finally:
        if flying is not None:
            await asyncio.wait((flying,))
    if flying is not None:
        flying.result()


def _append(held: Held, batch: list[bytes]) -> None:
    for piece in batch:
        held.append(piece)


async def _batches(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    batch, size = [], 0
    async for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_place(asking: Asking, held: Held) -> None:
    """A piece that says where it belongs belongs after what is there ("Pushing a blob in chunks")."""
    request = asking.context.http
    text = request.headers.get("content-range")
    if not text:
        return
    found = _RANGE.fullmatch(text)
    length = declared_length(request)
    if found is None or int(found[2]) < int(found[1]):
        raise Refused("BLOB_UPLOAD_INVALID", "Content-Range is no range of bytes", 400)
    if int(found[1]) != held.size:
        headers = tuple(_upload_headers(held.repository, held.id, held.size))
        raise Refused("BLOB_UPLOAD_INVALID", f"{held.size} bytes are there; go on after them", 416, headers=headers)
    if length is not None and length != int(found[2]) - int(found[1]) + 1:
        raise Refused("SIZE_INVALID", "Content-Range and Content-Length are of different lengths", 400)


def _query(asking: Asking) -> dict[str, str]:
    return dict(parse_qsl(asking.context.http.query))


def _upload_headers(repository: Repository, id: str, size: int) -> list[tuple[str, str]]:
    return [
        ("location", f"/v2/{repository.name}/blobs/uploads/{id}"),
        ("docker-upload-uuid", id),
        ("range", f"0-{max(size - 1, 0)}"),
    ]


def _accepted(repository: Repository, id: str, size: int) -> HttpResponse:
    return HttpResponse(202, _upload_headers(repository, id, size))


def _created(repository: Repository, digest: str) -> HttpResponse:
    headers = [("location", f"/v2/{repository.name}/blobs/{digest}"), ("docker-content-digest", digest)]
    return HttpResponse(201, headers)
