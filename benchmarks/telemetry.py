"""Logs beside the least that could be done: appends beside one write and one fsync of a plain file, a search beside
``grep`` over the same lines.

Both are measured in turns in one run, on the same disk; the ratio is the figure, the rates only say how large it
was made. Metric samples (``record``, kept in memory), durable puts of data points and an expression over a day of
minutes are counted too. At last signed requests over the wire, eight clients of wrk, beside a bare echo.

    python benchmarks/telemetry.py [--seconds 1.0] [--rounds 3] [--events 1000000] [--directory DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from invoke import Subject, _server, signed_request
from invoke_clients import echo

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


def calls() -> dict[str, tuple[str, dict[str, str], dict[str, object]]]:
    """Name: (service to sign for, headers, body)."""
    now = time.time()
    dimensions = [{"Name": "Of", "Value": "bench"}]
    data = [{"MetricName": f"m{n}", "Value": n + 0.5, "Dimensions": dimensions} for n in range(10)]
    metric = {"Namespace": "Bench", "MetricName": "m1", "Dimensions": dimensions}
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p90"}}
    stream = {"logGroupName": "bench", "logStreamName": "s"}
    events = [{"timestamp": int(now * 1000), "message": LINE}] * 10
    spanned = {"MetricDataQueries": [query], "StartTime": now - 3_600, "EndTime": now + 60}
    cloudwatch, logs = "GraniteServiceVersion20100801", "Logs_20140328"
    asked: dict[str, tuple[str, str, str, dict[str, object]]] = {
        "PutMetricData, 10 points": ("monitoring", cloudwatch, "1.0", {"Namespace": "Bench", "MetricData": data}),
        "GetMetricData, an hour": ("monitoring", cloudwatch, "1.0", spanned),
        "PutLogEvents, 10 events": ("logs", logs, "1.1", {**stream, "logEvents": events}),
        "GetLogEvents, 100 events": ("logs", logs, "1.1", {**stream, "limit": 100}),
        "DescribeLogGroups": ("logs", logs, "1.1", {}),
    }
    return {
        name: (
            service,
            {
                "Content-Type": f"application/x-amz-json-{version}",
                "X-Amz-Target": f"{prefix}.{name.partition(',')[0]}",
            },
            body,
        )
        for name, (service, prefix, version, body) in asked.items()
    }


def over_the_wire(folder: Path, seconds: int, rounds: int) -> dict[str, object]:
    """Requests a second of a server of its own and of the echo, in turns; answers other than 2xx void the run."""
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(folder / "data")]
    with (folder / "cloche.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{_server(folder / 'data', process)['port']}/"
        keys = json.loads((folder / "data" / "keys" / "root.json").read_text())
        with echo(folder) as echo_url:
            prepare(url, keys)
            urls = (url, f"{echo_url}/")
            return {name: _beside(name, asked, urls, keys, folder, seconds, rounds) for name, asked in calls().items()}
    finally:
        process.terminate()
        process.wait()


def prepare(url: str, keys: dict[str, str]) -> None:
    import boto3

    access = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    logs = boto3.client("logs", region_name="us-east-1", endpoint_url=url, **access)
    logs.create_log_group(logGroupName="bench")
    logs.create_log_stream(logGroupName="bench", logStreamName="s")


def _beside(
    name: str,
    asked: tuple[str, dict[str, str], dict[str, object]],
    urls: tuple[str, str],
    keys: dict[str, str],
    folder: Path,
    seconds: int,
    rounds: int,
) -> dict[str, object]:
    service, headers, members = asked
    body = json.dumps(members)
    subjects = [
        Subject(f"{label}-{name.partition(',')[0]}", url, signed_request(url, body, keys, headers, service), body)
        for label, url in zip(("cloche", "echo"), urls, strict=True)
    ]
    turns = [[each.measure(8, seconds, folder).requests_per_second for each in subjects] for _ in range(rounds)]
    own, bare = (statistics.median(of_one) for of_one in zip(*turns, strict=True))
    return {"cloche_per_second": round(own), "echo_per_second": round(bare), "ratio": round(own / bare, 2)}


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
    wire = over_the_wire(root, max(1, round(seconds)), rounds)
    return {"cpus": os.cpu_count(), "appends": cases, "searches": found, "metrics": samples, "wire": wire}


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
