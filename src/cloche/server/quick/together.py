"""Changes of many requests in one: what the requests of one turn of the event loop want written is one change for the
metadata store's writer, waits for one commit, and is answered in one turn again.

While a commit is under way others gather for the next. So a single client waits for nobody, and many wait for one
sync of the disk and two changes of threads together instead of each for its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from cloche.storage.metadata.database import Database
from cloche.storage.objects import StoreError

TOGETHER_MAX: Final = 256
Wanted = tuple[Callable[[sqlite3.Connection], Any], Callable[[Any], None]]


class Together:
    """Used from the event loop alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Wanted] = []
        self._is_under_way = False
        self._is_due = False

    def change(self, change: Callable[[sqlite3.Connection], Any], answer: Callable[[Any], None]) -> None:
        """Have ``change`` made durably, then ``answer`` called on the loop with what it answered or raised. A change
        that raises a ``StoreError`` must have changed nothing yet; any other error undoes those it was made with."""
        self._waiting.append((change, answer))
        if not (self._is_under_way or self._is_due):
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._is_due = False
        group, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
        if not group:
            return
        self._is_under_way = True
        loop = asyncio.get_running_loop()

        def all_of_them(tx: sqlite3.Connection) -> list[Any]:
            return [_made(change, tx) for change, _ in group]

        def end(done: Future[list[Any]]) -> None:
            loop.call_soon_threadsafe(self._end, group, done)

        try:
            self._database.submit(all_of_them).add_done_callback(end)
        except Exception as error:
            failed: Future[list[Any]] = Future()
            failed.set_exception(error)
            self._end(group, failed)

    def _end(self, group: list[Wanted], done: Future[list[Any]]) -> None:
        self._is_under_way = False
        self._begin()
        error = done.exception()
        answers = done.result() if error is None else [error] * len(group)
        for (_, answer), found in zip(group, answers, strict=True):
            answer(found)


def _made(change: Callable[[sqlite3.Connection], Any], tx: sqlite3.Connection) -> Any:
    try:
        return change(tx)
    except StoreError as error:
        return error
