"""Captures with a store of objects beside them, a clock that is turned by hand, and nobody who asks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.capture import CapturePlan, Captures, Known, Recorder
from cloche.engines.hosting.capture.lines import Dividers, Lines, Told
from cloche.foundation.clock import SystemClock, from_epoch
from cloche.foundation.ids import request_id
from cloche.storage import objects
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectStore

ACCOUNT = "123456789012"
ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/e"
PLAN = CapturePlan(
    True, 100, "s3://captured/p", "captured", "p", "", True, True, ("text/csv",), ("application/json", "a/b+json")
)
DRAWN = "ABCDEFGHIJKLMNOPQRST"
DIVIDERS = Dividers(DRAWN)
FACTS = DIVIDERS.facts_entry(("text/csv", "", ""), "text/csv", "t")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


class Hands:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self._at = NOON
        self._turned: list[Callable[[], None]] = []

    def turn(self, at: float) -> None:
        self._at = at
        for callback in self._turned:
            callback()

    def time(self) -> float:
        return self._at

    def now(self) -> datetime:
        return from_epoch(self._at)

    def real(self) -> float:
        return time.time()

    def when_turned(self, callback: Callable[[], None]) -> None:
        self._turned.append(callback)


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "cloche.db")
        migrate(self.database, [*records.MIGRATIONS, *objects.MIGRATIONS])
        self.objects = ObjectStore(folder / "objects", self.database, SystemClock())
        self.objects.buckets.create("captured", ACCOUNT, "us-east-1")
        self.clock = Hands()
        self.open()

    def open(self) -> None:
        self.captures = Captures(self.folder / "captured", self.objects, self.clock)
        self.captures.start()

    def close(self) -> None:
        self.captures.stop()
        self.objects.close()
        self.database.close()

    def recorder(self, plan: CapturePlan = PLAN) -> Recorder:
        made = self.captures.recorder(plan, ACCOUNT, ARN, "v")
        assert made is not None
        return made

    def take(self, *bodies: bytes, plan: CapturePlan = PLAN, at: float | None = None) -> None:
        """One after another; every one of them is handed on."""
        recorder = self.recorder(plan)
        given: list[bytes] = []
        for number, body in enumerate(bodies):
            if at is not None:
                self.clock.turn(at + number)
            if recorder.take(heard(body), answer(body), time.perf_counter()):
                given.append(body)
        assert given == list(bodies)

    def stored_keys(self) -> list[str]:
        self.captures.moved()
        end = time.monotonic() + 10
        while self.captures.is_behind():
            assert time.monotonic() < end
            time.sleep(0.01)
        return [info.key for info in self.objects.iter_prefix("captured")]

    def stored(self) -> dict[str, list[str]]:
        """Key → the inputs of its records."""
        found = {}
        for key in self.stored_keys():
            text = self.objects.read_bytes("captured", key, size_max=10**8).decode()
            assert text.endswith("\n")
            lines = [json.loads(line) for line in text[:-1].split("\n")]
            found[key] = [line["captureData"]["endpointInput"]["data"] for line in lines]
        return found

    def files(self) -> list[Path]:
        """Those that hold something."""
        found = []
        for path in (self.folder / "captured").glob("*.jsonl"):
            with suppress(FileNotFoundError):
                found += [path] if path.read_bytes()[:1] not in (b"", b"\0") else []
        return found


def heard(body: bytes) -> Known:
    return Known(body, request_id().encode(), ("text/csv", "", ""))


def answer(body: bytes, type: bytes = b"text/csv") -> Answer:
    return Answer(200, [(b"content-type", type)], body)


def line(body: bytes, told: Told, output: bytes, answered: str = "text/csv", id: str = "id", at: str = "t") -> bytes:
    return Lines(PLAN.form(), DRAWN).maker(told, answered, at)(entry(body, output, id))


def entry(body: bytes, output: bytes = b"", id: str = "") -> bytes:
    """Of a request, whole."""
    return DIVIDERS.request_entry((id or request_id()).encode(), body, output) + DIVIDERS.mark
