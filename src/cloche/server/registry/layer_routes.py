"""Links to layers, as GetDownloadUrlForLayer gives them.

GET /_cloche/layers/DIGEST?until=SECONDS&mac=…    the layer, for an hour from when the link was made
"""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import FileSlice, HttpRequest, HttpResponse
from cloche.compute.images.store import BlobStore
from cloche.foundation.clock import Clock
from cloche.foundation.errors import NotFound
from cloche.server.links import Links
from cloche.storage.metadata.database import Database

LAYERS: Final = "/_cloche/layers/"
LINK_SECONDS: Final = 3_600
"""AWS does not say how long its links hold."""


def layer_links(url: str, database: Database, clock: Clock) -> Links:
    return Links(url, LAYERS, LINK_SECONDS, database, clock)


class LayerRoutes:
    def __init__(self, links: Links, store: BlobStore) -> None:
        self._links, self._store = links, store

    def owns(self, path: str) -> bool:
        return path.startswith(LAYERS)

    def admit(self, request: HttpRequest) -> None:
        """Before a body is read. Raises ``AwsError`` for a link that is none, or is none any more."""
        self._links.name_in(request)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Raises ``AwsError``."""
        digest = f"sha256:{self._links.name_in(request)}"
        try:
            size = self._store.size(digest)
        except NotFound:
            raise AwsError("NotFound", "The layer has been removed.", 404) from None
        headers = [("content-type", "application/octet-stream")]
        return HttpResponse(200, headers, FileSlice(self._store.path(digest), 0, size))
