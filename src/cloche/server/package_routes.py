"""Links to the packages of functions and layers.

GET /_cloche/packages/DIGEST?until=SECONDS&mac=…    the zip, for ten minutes from when the link was made
"""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.engines.functions.packages import Packages
from cloche.foundation.clock import Clock
from cloche.server.links import Links
from cloche.storage.metadata.database import Database

PACKAGES: Final = "/_cloche/packages/"
LINK_SECONDS: Final = 600
"""API_GetFunction.html: "a link to download the deployment package that's valid for 10 minutes"."""


def package_links(url: str, database: Database, clock: Clock) -> Links:
    return Links(url, PACKAGES, LINK_SECONDS, database, clock)


class PackageRoutes:
    def __init__(self, links: Links, packages: Packages) -> None:
        self._links, self._packages = links, packages

    def owns(self, path: str) -> bool:
        return path.startswith(PACKAGES)

    def admit(self, request: HttpRequest) -> None:
        """Before a body is read. Raises ``AwsError`` for a link that is none, or is none any more."""
        self._links.name_in(request)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Raises ``AwsError``."""
        name = self._links.name_in(request)
        try:
            content = self._packages.archive(name).read_bytes()
        except FileNotFoundError:
            raise AwsError("NotFound", "The package has been removed.", 404) from None
        return HttpResponse(200, [("content-type", "application/zip")], content)
