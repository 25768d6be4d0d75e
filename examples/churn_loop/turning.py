"""Cloche's clock, turned from a script (``cloche clock`` does the same): this alone is not AWS."""

import http.client
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse


class Clock:
    def __init__(self, data):
        address = urlparse(os.environ["AWS_ENDPOINT_URL"])
        self._host, self._port = address.hostname, address.port
        self._token = (Path(data) / "keys" / "console.token").read_text().strip()

    def now(self):
        return datetime.fromtimestamp(self._ask("GET")["now"], UTC)

    def freeze(self):
        self._ask("POST", {"do": "freeze"})

    def resume(self):
        self._ask("POST", {"do": "resume"})

    def advance_to(self, moment):
        """Returns once all that fell due until then is done."""
        said = self._ask("POST", {"do": "advance", "to": moment.timestamp()})
        while said["advancing_to"] is not None:
            time.sleep(0.005)
            said = self._ask("GET")

    def _ask(self, method, members=None):
        connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection.request(method, "/_cloche/clock", None if members is None else json.dumps(members), headers)
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
        if answer.status != 200:
            raise RuntimeError(said)
        return said
