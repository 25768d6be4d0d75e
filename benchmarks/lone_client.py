"""InvokeEndpoint, one row, one client that waits for each answer: how long each of its requests takes.

Cloche beside the hand-written application of ``invoke.py`` and beside a bare echo, in turns, by a client of a few lines
that notes every request. wrk is not asked: it takes a client for one that would have sent its next request after the
mean interval whatever became of the last, and adds, for each slow answer, those that would have waited with it
(``stats_correct`` in src/wrk.c and src/stats.c of wg/wrk). Where a machine stands still for 4 ms this client has one
slow request of thousands, and wrk as many as would have fallen into that time: a lone client's 99th percentile is then
how long the machine stood still in all, whoever serves. How still this one was is in the echo's row.

    python benchmarks/lone_client.py [--seconds 2] [--rounds 12]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from pathlib import Path

from invoke import Subject, cloche, peer, signed, trained
from invoke_clients import AFTER_A_SWITCH, RawClient, echo

SHOWN = (0.5, 0.9, 0.99, 0.999)


def taken(client: RawClient, seconds: float) -> list[float]:
    """Milliseconds of each request, in order of length."""
    for _ in range(AFTER_A_SWITCH):
        client.ask()
    found, clock = [], time.perf_counter
    until = clock() + seconds
    while (began := clock()) < until:
        client.ask()
        found.append((clock() - began) * 1e3)
    return sorted(found)


def of(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)]


def measure(subjects: list[Subject], chosen: argparse.Namespace) -> None:
    clients = {each.name: RawClient(each.url, each.headers, each.row.encode()) for each in subjects}
    for client in clients.values():
        taken(client, 0.5)
    rounds: list[dict[str, list[float]]] = []
    gc.disable()
    for _ in range(chosen.rounds):
        rounds.append({name: taken(client, chosen.seconds) for name, client in clients.items()})
    print(f"one client, each request timed; medians of {chosen.rounds} rounds of {chosen.seconds:g} s, in turns")
    print(f"{'':>8} {'requests/s':>11} " + " ".join(f"{f'p{share * 100:g} ms':>9}" for share in SHOWN))
    for name in clients:
        rate = statistics.median(len(each[name]) for each in rounds) / chosen.seconds
        shown = (statistics.median(of(each[name], share) for each in rounds) for share in SHOWN)
        print(f"{name:>8} {rate:>11,.0f} " + " ".join(f"{value:>9.3f}" for value in shown))
    lower = sum(of(each["cloche"], 0.99) < of(each["fastapi"], 0.99) for each in rounds)
    print(f"p99 lower than fastapi's in {lower} of {chosen.rounds} rounds", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=12)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, row = trained(folder)
        with echo(folder) as url, peer(folder, model, row) as theirs, cloche(folder, model, row) as ours:
            keys = json.loads((folder / "data" / "keys" / "root.json").read_text())
            url += "/endpoints/benchmark/invocations"
            bare = Subject("echo", url, signed(url, row, keys), row)
            measure([theirs, ours, bare], chosen)


if __name__ == "__main__":
    main()
