"""Taking the machines of managed spot training away, as a market would.

POST /_cloche/interruptions   {"job": ARN, "away_seconds": 0}    the notice is given when this is answered
"""

from __future__ import annotations

from typing import Final

from cloche.aws.http import HttpRequest
from cloche.engines.training import Training
from cloche.foundation.errors import Invalid
from cloche.server.own_routes import OneRoute, members_of, text_of
from cloche.storage.metadata.database import Database

AWAY_SECONDS_MAX: Final = 30 * 86_400


class InterruptionRoutes(OneRoute):
    path = "/_cloche/interruptions"

    def __init__(self, training: Training, database: Database, token: str) -> None:
        super().__init__(token)
        self._training, self._database = training, database

    def work(self, request: HttpRequest) -> object:
        given = members_of(request.body)
        arn, away = text_of(given, "job"), given.get("away_seconds", 0)
        if not isinstance(away, int | float) or isinstance(away, bool) or not 0 <= away <= AWAY_SECONDS_MAX:
            raise Invalid(f"away_seconds is no number from 0 to {AWAY_SECONDS_MAX}", field="away_seconds")
        self._database.write(lambda tx: self._training.interrupt(tx, arn, away_seconds=float(away)))
        return {"job": arn, "away_seconds": away}
