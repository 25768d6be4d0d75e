"""The baseline of Model Monitor's analyzer beside a bare scan of the same statistics and beside a profiler.

A CSV file of 1,000,000 rows and 20 columns (ten of decimals, six of integers, four of words) becomes statistics and
constraints: types, moments, quantiles, distinct values and histograms. *duckdb* computes the like in one SQL statement
and writes nothing; *ydata-profiling* makes its report in minimal mode, without the HTML. Each is a process of its own,
imports and all, in turns; the ratio is the figure. A second row is of 200,000 captured records of 20 cells.

    python benchmarks/model_monitor.py [--rows 1000000] [--rounds 3] [--without-ydata]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from invoke import peer_environment

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog
from cloche_jobs.contract import package_folder

DUCKDB = """
import sys, duckdb
numbers = [f"f{each}" for each in range(10)] + [f"i{each}" for each in range(6)]
words = [f"c{each}" for each in range(4)]
shares = [each / 10 for each in range(1, 10)]
asked = ["count(*)"]
for name in numbers:
    asked += [f"{what}({name})" for what in ("count", "avg", "sum", "stddev_pop", "min", "max")]
    asked.append(f"approx_quantile({name}, {shares})")
for name in words:
    asked += [f"{what}({name})" for what in ("count", "approx_count_distinct", "histogram")]
found = duckdb.connect().execute(f"select {', '.join(asked)} from read_csv('{sys.argv[1]}')").fetchone()
assert found[0] > 0
"""
YDATA = """
import sys, warnings
warnings.simplefilter("ignore")
import pandas
from ydata_profiling import ProfileReport
report = ProfileReport(pandas.read_csv(sys.argv[1]), minimal=True, progress_bar=False)
assert report.get_description() is not None
"""
TARGETS = {"duckdb": 0.7, "ydata-profiling": 4.0}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--captured", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-ydata", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        data.mkdir()
        write_rows(data / "rows.csv", options.rows)
        subjects: dict[str, Callable[[], None]] = {"cloche": analyzer(data, {"csv": {"header": True}}, Path(folder))}
        subjects["duckdb"] = script("duckdb", ["duckdb"], DUCKDB, data / "rows.csv")
        if not options.without_ydata:
            subjects["ydata-profiling"] = script(
                "ydata", ["ydata-profiling", "setuptools<81"], YDATA, data / "rows.csv"
            )
        found = in_turns(subjects, options.rounds)
        print(f"baseline of {options.rows:,} rows and 20 columns")
        for name, seconds in found.items():
            ratio = f"{seconds / found['cloche']:.2f} of it (goal {TARGETS[name]})" if name in TARGETS else ""
            print(f"  {name:<16} {seconds:6.2f} s  {ratio}")
        records = Path(folder, "records")
        records.mkdir()
        write_captured(records / "a.jsonl", options.captured)
        run = {"run": analyzer(records, {"sagemakerCaptureJson": {}}, Path(folder))}
        seconds = in_turns(run, options.rounds)["run"]
        print(f"{options.captured:,} captured records: {seconds:.2f} s, {options.captured / seconds:,.0f}/s")


def in_turns(subjects: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, run in subjects.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in taken.items()}


def analyzer(data: Path, format: dict[str, object], folder: Path) -> Callable[[], None]:
    """The image's own program, as a job runs it."""
    image = catalog.by_key(catalog.ANALYZER)
    python = EnvironmentBuilder().ensure(image.environment, print).python
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package_folder().parent),
        "CLOCHE_ML_ROOT": str(folder / "ml"),
        "dataset_source": str(data),
        "output_path": str(folder / "out"),
        "dataset_format": json.dumps(format),
    }
    command = [str(python), *image.entrypoint[1:]]
    return lambda: run(command, environment)


def script(name: str, packages: list[str], code: str, *arguments: Path) -> Callable[[], None]:
    python = peer_environment(name, packages)
    command = [str(python), "-c", code, *map(str, arguments)]
    return lambda: run(command, {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")})


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")


def write_rows(path: Path, count: int) -> None:
    source = random.Random(0)
    names = [
        *(f"f{each}" for each in range(10)),
        *(f"i{each}" for each in range(6)),
        *(f"c{each}" for each in range(4)),
    ]
    words = [[f"level{number}" for number in range(5 * (each + 1))] for each in range(4)]
    with path.open("w") as file:
        file.write(",".join(names) + "\n")
        for _ in range(count):
            cells = [f"{source.gauss(50, 20):.4f}" for _ in range(10)]
            cells += [str(int(source.random() * 10 ** (each % 3 + 1))) for each in range(6)]
            cells += [level[int(source.random() * len(level))] for level in words]
            file.write(",".join(cells) + "\n")


def write_captured(path: Path, count: int) -> None:
    source = random.Random(1)
    with path.open("w") as file:
        for number in range(count):
            side = {"observedContentType": "text/csv", "encoding": "CSV"}
            cells = ",".join(f"{source.random() * 100:.2f}" for _ in range(19))
            record = {
                "captureData": {
                    "endpointInput": {**side, "mode": "INPUT", "data": cells},
                    "endpointOutput": {**side, "mode": "OUTPUT", "data": f"{source.random():.6f}"},
                },
                "eventMetadata": {"eventId": str(number), "inferenceTime": "2026-11-26T10:00:00Z"},
                "eventVersion": "0",
            }
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
