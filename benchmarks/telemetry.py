"""Logs beside the least that could be done: appends beside one write and one fsync of a plain file, a search beside
``grep`` over the same lines.

Both are measured in turns in one run, on the same disk; the ratio is the figure, the rates only say how large it
was made. Metric samples (``record``, kept in memory), durable puts of data points and an expression over a day of
minutes are counted too.

    python benchmarks/telemetry.py [--seconds 1.0] [--rounds 3] [--events 1000000] [--directory DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cloche.engines.filter_patterns import compile_pattern
from cloche.foundation.clock import SystemClock
from cloche.storage import logs, metrics
from cloche.storage.logs import LogStore, Question, Sieve
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import Datum, MetricStore

LINE = "[12]\ttrain-auc:0.99712\tvalidation-auc:0.98341 " + "x" * 60
OWNER = ("123456789012", "us-east-1")


def plain(directory: Path, batch: int) -> Callable[[int], None]:
    """Append a batch of lines to a file of the thread's own, and sync it."""
    data = (LINE + "\n").encode() * batch
    held = threading.local()

    def append(thread: int) -> None:
        if not hasattr(held, "fd"):
            held.fd = os.open(directory / f"plain-{batch}-{thread}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(held.fd, data)
        os.fsync(held.fd)

    return append


def cloche(store: LogStore, batch: int) -> Callable[[int], None]:
    """The same lines as events of one stream."""

    def append(thread: int) -> None:
        now = int(time.time() * 1000)
        store.append(*OWNER, "/bench", f"{batch}", [(now, LINE)] * batch)

    return append


SEARCHES = {
    "a term that is rare": ('"needle"', "needle"),
    "a term in one line of a hundred": ('"epoch=77 "', "epoch=77 "),
    "any of two terms": ("?needle ?haystack", "needle\\|haystack"),
    "an expression": ("%step=99[0-9]{2}7 %", "step=99[0-9]\\{2\\}7 "),
    "a field of JSON": ("{ $.step = 123450 }", '"step":123450[,}]'),
    "a number in a column": ("[level, name, step, epoch, loss > 1, ...]", "impossible"),
    "a column": ('[level, name, step="step=123457", ...]', "^[^ ]* [^ ]* step=123457 "),
}
"""What is looked for: as a filter pattern, and as grep is asked the same."""


def lines_of(events: int) -> Iterator[str]:
    for number in range(events):
        if number % 10 == 0:
            yield f'{{"level":"INFO","step":{number},"loss":0.{number % 997:03d},"note":"{"y" * 60}"}}'
        else:
            text = f"INFO train step={number} epoch={number % 100} loss=0.{number % 997:03d} {'x' * 60}"
            yield text + (" needle" if number % 100_003 == 7 else "")


def searched(root: Path, store: LogStore, events: int, rounds: int) -> dict[str, object]:
    """Scans of ``events`` events in batches of a thousand, to the last page, and grep over the same lines."""
    plainly = root / "plain.txt"
    now = int(time.time() * 1000)
    with plainly.open("w") as file:
        batch: list[tuple[int, str]] = []
        for number, line in enumerate(lines_of(events)):
            file.write(line + "\n")
            batch.append((now + number, line))
            if len(batch) == 1_000:
                store.append(*OWNER, "/search", "s", batch)
                batch = []
        if batch:
            store.append(*OWNER, "/search", "s", batch)
    cases: dict[str, object] = {}
    for name, (pattern, expression) in SEARCHES.items():
        pairs = []
        for _ in range(rounds):
            begin = time.perf_counter()
            ours = scan(store, pattern)
            middle = time.perf_counter()
            told = subprocess.run(["grep", "-c", expression, str(plainly)], capture_output=True, text=True, check=False)
            pairs.append((middle - begin, time.perf_counter() - middle))
            assert ours == int(told.stdout), (name, ours, told.stdout)
        cases[name] = {
            "found": ours,
            "cloche_seconds": round(statistics.median(mine for mine, _ in pairs), 3),
            "grep_seconds": round(statistics.median(theirs for _, theirs in pairs), 3),
            "ratio": round(statistics.median(mine / theirs for mine, theirs in pairs), 1),
        }
    return {"events": events, "megabytes": round(plainly.stat().st_size / 1e6), "scans": cases}


def scan(store: LogStore, text: str) -> int:
    pattern = compile_pattern(text)
    question, found, at = Question(pattern.matches, Sieve(pattern.screen, pattern.needle)), 0, None
    while True:
        page = store.find(*OWNER, "/search", question, at=at)
        found += len(page.events)
        at = page.next
        if at is None:
            return found


def computed(database: Database) -> dict[str, float]:
    """Durable puts of a hundred data points, and a day of minutes read back."""
    held = MetricStore(database, SystemClock())
    now = time.time() // 60 * 60
    begin = time.perf_counter()
    for hour in range(24):
        data = [Datum("loss", (), now - (hour * 60 + minute) * 60, float(minute)) for minute in range(60)]
        held.put(*OWNER, "bench", data)
    middle = time.perf_counter()
    rows = held.query(*OWNER, "bench", "loss", (), start=now - 86_400, end=now + 60, period=60)
    end = time.perf_counter()
    held.close()
    assert len(rows) == 24 * 60
    return {
        "points_put_per_second": round(24 * 60 / (middle - begin)),
        "points_read_per_second": round(len(rows) / (end - middle)),
    }


def rate(call: Callable[[int], None], threads: int, seconds: float) -> float:
    """Calls a second, of all threads together."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(thread: int) -> None:
        while time.perf_counter() < end:
            call(thread)
            counts[thread] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def measure(root: Path, seconds: float, rounds: int, events: int) -> dict[str, object]:
    database = Database(root / "cloche.db")
    migrate(database, [*logs.MIGRATIONS, *metrics.MIGRATIONS])
    store = LogStore(root / "logs", database, SystemClock())
    cases: dict[str, dict[str, float]] = {}
    for batch in (1, 10, 100):
        for threads in (1, 8):
            ours, theirs = cloche(store, batch), plain(root, batch)
            pairs = [(rate(ours, threads, seconds), rate(theirs, threads, seconds)) for _ in range(rounds)]
            cases[f"{batch} events x {threads} threads"] = {
                "cloche_events_per_second": round(statistics.median(mine for mine, _ in pairs) * batch),
                "plain_events_per_second": round(statistics.median(plainly for _, plainly in pairs) * batch),
                "ratio": round(statistics.median(mine / plainly for mine, plainly in pairs), 2),
            }
    held = MetricStore(database, SystemClock())
    dimensions = (("EndpointName", "e"), ("VariantName", "v"))
    recorded = rate(lambda _: held.record(*OWNER, "ns", "ModelLatency", dimensions, time.time() % 1), 1, seconds)
    held.close()
    found = searched(root, store, events, rounds)
    put = computed(database)
    store.close()
    database.close()
    samples = {"samples_recorded_per_second": round(recorded), **put}
    return {"cpus": os.cpu_count(), "appends": cases, "searches": found, "metrics": samples}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as root:
        print(json.dumps(measure(Path(root), arguments.seconds, arguments.rounds, arguments.events), indent=2))


if __name__ == "__main__":
    main()
