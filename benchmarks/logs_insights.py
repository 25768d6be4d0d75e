"""Events a second that a Logs Insights query reads, beside DuckDB over the same events as lines of JSON, and beside
``grep`` for what one processor can look at.

    python benchmarks/logs_insights.py [--events 1000000] [--rounds 3]

A query is what the server begins for one: its processes are started, read the log store's files, and write the result;
the server itself is not there. DuckDB (an environment of its own below the user's cache folder) reads the file in a
process of its own as well, with as many threads as the machine has processors. Side by side, in turns; beside the rates
stands what an event cost of a processor, which depends less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from invoke import peer_environment

from cloche.engines.log_insights.running import MEMORY_BYTES_MAX, PROCESS, PROCESSES
from cloche.storage.logs.frames import encode

AT = 1_764_115_200_000
Taken = tuple[float, float]
"""Seconds, and seconds of processors."""
BATCH, SEGMENT_BYTES = 500, 8 * 1024 * 1024
QUERIES = {
    "filter and stats": (
        "filter status = 500 | stats count(*) as n, avg(latency) by bin(5m), service",
        "SELECT time // 300000, service, count(*), avg(latency) FROM events WHERE status = 500 GROUP BY ALL",
    ),
    "stats by a field": (
        "stats count(*) as n, max(latency), pct(latency, 99) by level",
        "SELECT level, count(*), max(latency), quantile_cont(latency, 0.99) FROM events GROUP BY level",
    ),
    "a rare word": (
        "filter @message like /items\\/777/ | fields @timestamp, path | sort @timestamp desc | limit 20",
        "SELECT time, path FROM events WHERE contains(path, 'items/777') ORDER BY time DESC LIMIT 20",
    ),
    "parse and stats": (
        "parse @message 'items/*\"' as item | stats count(*) as n by item | sort n desc | limit 10",
        "SELECT regexp_extract(path, 'items/([0-9]*)', 1) i, count(*) n FROM events GROUP BY i ORDER BY n DESC",
    ),
    "sort by a field": (
        "fields @timestamp, latency | sort latency desc | limit 20",
        "SELECT time, latency FROM events ORDER BY latency DESC LIMIT 20",
    ),
}
DUCKDB = """
import sys, duckdb
duckdb.sql(f"CREATE VIEW events AS SELECT * FROM read_json('{sys.argv[1]}', format='newline_delimited')")
print(len(duckdb.sql(sys.argv[2]).fetchall()))
"""


def make_events(count: int, folder: Path) -> tuple[Path, Path]:
    """A stream's folder, and the same events as lines with their time."""
    draw = random.Random(20261126)
    stream, lines = folder / "stream", folder / "events.jsonl"
    stream.mkdir()
    segment, size, ordinal = None, 0, 0
    with lines.open("w") as text:
        for start in range(0, count, BATCH):
            batch = []
            for place in range(start, min(start + BATCH, count)):
                event = {
                    "level": draw.choice(["INFO", "INFO", "INFO", "WARN", "ERROR"]),
                    "service": draw.choice(["cart", "pay", "auth"]),
                    "latency": round(draw.expovariate(0.05), 3),
                    "status": draw.choice([200, 200, 404, 500]),
                    "path": f"/api/v1/items/{draw.randrange(1000)}",
                    "request": f"{draw.getrandbits(128):032x}",
                }
                batch.append((AT + place * 7, json.dumps(event, separators=(",", ":"))))
                text.write(json.dumps({"time": AT + place * 7, **event}, separators=(",", ":")) + "\n")
            if segment is None or size > SEGMENT_BYTES:
                segment, size = (stream / f"{ordinal:020d}.log").open("wb"), 0
            data = encode(batch, AT)
            segment.write(data)
            size, ordinal = size + len(data), ordinal + len(batch)
    if segment is not None:
        segment.close()
    return stream, lines


def asked(query: str, stream: Path, folder: Path) -> Taken:
    """The process is left to end by itself, so that what it cost is known."""
    task = {
        "processes": PROCESSES,
        "memory": MEMORY_BYTES_MAX,
        "query": query,
        "limit": None,
        "now_ms": AT,
        "high": 2**61,
        "sources": [[1, "s", "1:group", str(stream), 0]],
        "results": str(folder / "rows"),
    }
    began, spent = time.perf_counter(), processor_seconds()
    command = [sys.executable, "-I", "-m", PROCESS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        told = process.stdout.read()
    assert b"done" in told, told
    return time.perf_counter() - began, processor_seconds() - spent


def run(*command: str) -> Taken:
    began, spent = time.perf_counter(), processor_seconds()
    # Not to /dev/null: grep would end at the first match.
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - began, processor_seconds() - spent


def processor_seconds() -> float:
    """Of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    duckdb = str(peer_environment("duckdb", ["duckdb"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stream, lines = make_events(chosen.events, folder)
        none = folder / "none"
        none.mkdir()
        for title, (query, sql) in QUERIES.items():
            subjects: dict[str, Callable[[], Taken]] = {
                "Cloche": lambda query=query: asked(query, stream, folder),  # type: ignore[misc]
                "DuckDB": lambda sql=sql: run(duckdb, "-c", DUCKDB, str(lines), sql),  # type: ignore[misc]
                "grep": lambda: run("grep", "-c", '"status":500', str(lines)),
            }
            taken: dict[str, list[Taken]] = {subject: [] for subject in subjects}
            for _ in range(chosen.rounds):
                for subject, call in subjects.items():
                    taken[subject].append(call())
            told: list[str] = []
            for subject, found in taken.items():
                seconds, spent = (statistics.median(each) for each in zip(*found, strict=True))
                rate, cost = chosen.events / seconds / 1e6, spent / chosen.events * 1e6
                told.append(f"{subject} {rate:.2f} M/s ({cost:.2f} µs each)")
            print(f"{title}: {', '.join(told)}")
        small = statistics.median(asked("stats count(*)", none, folder)[0] for _ in range(chosen.rounds))
        print(f"a query of an empty stream: {small * 1000:.0f} ms")


if __name__ == "__main__":
    main()
