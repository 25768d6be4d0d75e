"""Links to the packages of functions and layers: what AWS's presigned URLs are for, with a secret of the store's.

GET /_cloche/packages/DIGEST?until=SECONDS&mac=…    the zip, for ten minutes from when the link was made
"""

from __future__ import annotations

import hmac
import re
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.engines.functions.packages import Packages
from cloche.foundation.clock import Clock
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database

PACKAGES: Final = "/_cloche/packages/"
LINK_SECONDS: Final = 600
"""API_GetFunction.html: "a link to download the deployment package that's valid for 10 minutes"."""
_QUERY: Final = re.compile(r"until=([0-9]{1,12})&mac=([0-9a-f]{64})")
_NAME: Final = re.compile(r"[0-9a-f]{64}")


class PackageLinks:
    def __init__(self, url: str, database: Database, clock: Clock) -> None:
        self._url, self._database, self._clock = url, database, clock

    def link(self, name: str) -> str:
        until = int(self._clock.real()) + LINK_SECONDS
        return f"{self._url}{PACKAGES}{name}?until={until}&mac={self._mac(name, until)}"

    def holds(self, name: str, query: str) -> bool:
        """Whether a link was made here and is still good."""
        found = _QUERY.fullmatch(query)
        if found is None or int(found[1]) < self._clock.real():
            return False
        return hmac.compare_digest(found[2], self._mac(name, int(found[1])))

    def _mac(self, name: str, until: int) -> str:
        secret = records.page_secret(self._database.reader)
        return hmac.digest(secret, f"package {name} {until}".encode(), "sha256").hex()


class PackageRoutes:
    def __init__(self, links: PackageLinks, packages: Packages) -> None:
        self._links, self._packages = links, packages

    def owns(self, path: str) -> bool:
        return path.startswith(PACKAGES)

    def admit(self, request: HttpRequest) -> None:
        """Before a body is read. Raises ``AwsError`` for a link that is none, or is none any more."""
        name = request.path.removeprefix(PACKAGES)
        if request.method != "GET":
            raise AwsError("MethodNotAllowed", "This is for GET.", 405)
        if _NAME.fullmatch(name) is None or not self._links.holds(name, request.query):
            raise AwsError("AccessDenied", "This link is not valid, or not any more.", 403)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Raises ``AwsError``."""
        self.admit(request)
        try:
            content = self._packages.archive(request.path.removeprefix(PACKAGES)).read_bytes()
        except FileNotFoundError:
            raise AwsError("NotFound", "The package has been removed.", 404) from None
        return HttpResponse(200, [("content-type", "application/zip")], content)
