"""What is read: manifests, blobs, tags, referrers, the names of repositories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import orjson

from cloche.aws.http import FileSlice, HttpRequest, HttpResponse
from cloche.aws.ranges import asked as asked_range
from cloche.engines.image_registry import REPOSITORY, ImageRegistry, images
from cloche.engines.image_registry.errors import ImageUnknown, LayersUnknown
from cloche.engines.image_registry.images import Image
from cloche.engines.image_registry.manifests import DIGEST, OCI_INDEX
from cloche.server.registry.addresses import Asked
from cloche.server.registry.callers import Asking
from cloche.server.registry.refusals import Refused
from cloche.storage.metadata.database import Database

PAGE_MAX: Final = 1_000


class Pulling:
    def __init__(self, registry: ImageRegistry, database: Database) -> None:
        self._registry, self._database = registry, database

    def manifest(self, asking: Asking, asked: Asked) -> HttpResponse:
        repository = asking.repository(asked.name, "BatchGetImage")
        found = self._registry.find(repository, asked.reference)
        if found is None:
            digest = DIGEST.fullmatch(asked.reference) is not None
            said = f"{{imageDigest:'{asked.reference if digest else 'null'}', "
            said += f"imageTag:'{'null' if digest else asked.reference}'}}"
            raise ImageUnknown(said, repository.name, repository.account)
        image, content = found
        if asking.context.http.method == "GET":
            self._registry.pulled(image)
        headers = [("content-type", image.media_type), ("docker-content-digest", image.digest), _tag(image.digest)]
        return HttpResponse(200, headers, content)

    def blob(self, asking: Asking, asked: Asked) -> HttpResponse:
        """With one range, where one is asked for. The file stays readable while it is sent, whatever becomes of it."""
        request, digest = asking.context.http, asked.reference
        action = "BatchCheckLayerAvailability" if request.method == "HEAD" else "GetDownloadUrlForLayer"
        repository = asking.repository(asked.name, action)
        size = self._registry.layer_size(repository, digest)
        if size is None or not self._registry.store.has(digest):
            raise LayersUnknown([digest], repository.name, repository.account)
        headers = [("content-type", "application/octet-stream"), ("docker-content-digest", digest), _tag(digest)]
        headers.append(("accept-ranges", "bytes"))
        span = asked_range(request.headers.get("range") or None, size)
        if span is None:
            raise Refused("SIZE_INVALID", "The range is beyond the blob", 416, headers=(_whole(size),))
        if span.partial:
            headers.append(("content-range", span.content_range))
        body = FileSlice(self._registry.store.path(digest), span.offset, span.length)
        return HttpResponse(206 if span.partial else 200, headers, body)

    def tags(self, asking: Asking, asked: Asked) -> HttpResponse:
        repository = asking.repository(asked.name, "ListImages")
        count, last = _paging(asking.context.http)
        rows = self._database.reader.execute(
            "SELECT tag FROM image_tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?",
            (repository.id, last, count + 1),
        )
        names, headers = _page([row[0] for row in rows], count, asking.context.http.path)
        return _json({"name": repository.name, "tags": names}, headers)

    def catalog(self, asking: Asking) -> HttpResponse:
        """Of the caller's own registry."""
        asking.authorize(asking.context, "DescribeRepositories")
        if asking.account != asking.context.account:
            raise Refused("DENIED", f"The registry {asking.account} is another account's", 403)
        count, last = _paging(asking.context.http)
        rows = self._database.reader.execute(
            "SELECT name FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? ORDER BY name LIMIT ?",
            (asking.account, asking.region, REPOSITORY, last, count + 1),
        )
        names, headers = _page([row[0] for row in rows], count, asking.context.http.path)
        return _json({"repositories": names}, headers)

    def referrers(self, asking: Asking, asked: Asked) -> HttpResponse:
        """An index of what has this as its subject; none is no error ("Listing Referrers")."""
        repository = asking.repository(asked.name, "ListImageReferrers")
        wanted = dict(parse_qsl(asking.context.http.query)).get("artifactType")
        found = images.referrers(self._database.reader, repository, asked.reference)
        if wanted:
            found = [image for image in found if image.artifact_type == wanted]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_descriptor(image) for image in found]}
        filtered = [("oci-filters-applied", "artifactType")] if wanted else []
        return _json(index, filtered, OCI_INDEX)


def _descriptor(image: Image) -> dict[str, Any]:
    return {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": image.manifest_bytes,
        **({"artifactType": image.artifact_type} if image.artifact_type else {}),
        **({"annotations": image.annotations} if image.annotations else {}),
    }


def _paging(request: HttpRequest) -> tuple[int, str]:
    """How many at most, and the last that was seen."""
    query = dict(parse_qsl(request.query))
    text = query.get("n", str(PAGE_MAX))
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Refused("UNSUPPORTED", "n is no number of results", 400)
    return min(int(text), PAGE_MAX), query.get("last", "")


def _page(found: Sequence[str], count: int, path: str) -> tuple[Sequence[str], list[tuple[str, str]]]:
    """The page, and where the next one is (RFC 5988)."""
    if len(found) <= count or count == 0:
        return found[:count], []
    return found[:count], [("link", f'<{path}?n={count}&last={quote(found[count - 1], safe="")}>; rel="next"')]


def _tag(digest: str) -> tuple[str, str]:
    return "etag", f'"{digest}"'


def _whole(size: int) -> tuple[str, str]:
    return "content-range", f"bytes */{size}"


def _json(content: Any, headers: Sequence[tuple[str, str]], kind: str = "application/json") -> HttpResponse:
    return HttpResponse(200, [("content-type", kind), *headers], orjson.dumps(content))
