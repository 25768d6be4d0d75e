"""What tests of stored logs share: a clock that stands, an owner, and what a store holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloche.storage.logs import LogStore

OWNER = ("123456789012", "us-east-1")
NOW = 1_795_600_000.0
NOW_MS = int(NOW * 1000)
NUMBERS = itertools.count()
DAY_MS = 24 * 3600 * 1000


class SetClock:
    seconds = NOW

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("logs count in milliseconds")

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


def log_files(root: Path) -> list[Path]:
    return sorted((root / "logs").rglob("*.log"))


def messages(store: LogStore, group: str = "/g", name: str = "s", **arguments: Any) -> list[str]:
    arguments.setdefault("from_head", True)
    return [event.message for event in store.read(*OWNER, group, name, **arguments).events]


def follow(store: LogStore, name: str, at: Any = None, **arguments: Any) -> tuple[list[str], Any]:
    """Read on from ``at`` until the place stays where it is."""
    seen: list[str] = []
    while True:
        page = store.read(*OWNER, "/g", name, at=at, from_head=True, **arguments)
        seen += [event.message for event in page.events]
        if page.last == at:
            return seen, at
        at = page.last
