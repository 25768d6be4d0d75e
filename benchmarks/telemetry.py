"""Log appends beside the least that any durable log must do: one write and one fsync of a plain file.

Both are measured in turns in one run, on the same disk; the ratio is the figure, the rates only say how large it
was made. Metric samples (``record``, kept in memory) are counted too.

    python benchmarks/telemetry.py [--seconds 1.0] [--rounds 3] [--directory DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cloche.foundation.clock import SystemClock
from cloche.storage import logs, metrics
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore

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


def measure(root: Path, seconds: float, rounds: int) -> dict[str, object]:
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
    store.close()
    database.close()
    return {"cpus": os.cpu_count(), "appends": cases, "metric_samples_per_second": round(recorded)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as root:
        print(json.dumps(measure(Path(root), arguments.seconds, arguments.rounds), indent=2))


if __name__ == "__main__":
    main()
