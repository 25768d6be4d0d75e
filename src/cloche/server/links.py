"""Links to bytes that hold for a while and need no signature: what AWS's presigned URLs are for, with a secret of the
store's. ``?until=SECONDS&mac=…`` by the machine's clock, for one name under one path."""

from __future__ import annotations

import hmac
import re
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.foundation.clock import Clock
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database

_QUERY: Final = re.compile(r"until=([0-9]{1,12})&mac=([0-9a-f]{64})")
_NAME: Final = re.compile(r"[0-9a-f]{64}")


class Links:
    """Of names of 64 hexadecimal digits, under ``path`` (which ends in a slash)."""

    def __init__(self, url: str, path: str, seconds: int, database: Database, clock: Clock) -> None:
        self.path = path
        self._url, self._seconds, self._database, self._clock = url, seconds, database, clock

    def link(self, name: str) -> str:
        until = int(self._clock.real()) + self._seconds
        return f"{self._url}{self.path}{name}?until={until}&mac={self._mac(name, until)}"

    def name_in(self, request: HttpRequest) -> str:
        """What a request may have. Raises ``AwsError`` for a link that is none, or is none any more."""
        name = request.path.removeprefix(self.path)
        if request.method not in ("GET", "HEAD"):
            raise AwsError("MethodNotAllowed", "This is for GET.", 405)
        if _NAME.fullmatch(name) is None or not self._holds(name, request.query):
            raise AwsError("AccessDenied", "This link is not valid, or not any more.", 403)
        return name

    def _holds(self, name: str, query: str) -> bool:
        found = _QUERY.fullmatch(query)
        if found is None or int(found[1]) < self._clock.real():
            return False
        return hmac.compare_digest(found[2], self._mac(name, int(found[1])))

    def _mac(self, name: str, until: int) -> str:
        secret = records.page_secret(self._database.reader)
        return hmac.digest(secret, f"{self.path}{name} {until}".encode(), "sha256").hex()
