"""Functions as receivers of subscribed logs: the event is Lambda's with the transaction that moves the place."""

from __future__ import annotations

import sqlite3

from cloche.engines.functions import LATEST, Functions, Owner
from cloche.foundation.errors import Denied, NotFound


class LogReceiver:
    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def deliver(self, tx: sqlite3.Connection, account: str, arn: str, payload: bytes) -> None:
        parts = arn.split(":")
        if len(parts) not in (7, 8) or parts[5] != "function":
            raise NotFound(f"{arn} is not the ARN of a function.")
        if parts[4] != account:
            raise Denied(f"{arn} belongs to another account.")
        qualifier = parts[7] if len(parts) == 8 else LATEST
        self._functions.events.accept(tx, Owner(parts[4], parts[3], parts[6]), qualifier, payload)
