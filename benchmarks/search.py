"""Search over many records: how long a page takes, filtered and sorted by what lies deep in the documents.

search.py [RECORDS]      fills a database of its own with trial components (10,000 by default), each with parameters,
artifacts, a metric and a tag, and asks it in this process; beside it the same question answered by a scan in Python.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloche.server.wiring import MIGRATIONS
from cloche.services.sagemaker.search.conditions import where
from cloche.services.sagemaker.search.resources import resources
from cloche.services.sagemaker.search.search import _walk
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import read_page
from cloche.storage.metadata.migrations import migrate

KIND = "sagemaker/TrialComponent"
EXPRESSIONS: dict[str, tuple[dict[str, Any], str]] = {
    "everything, newest first": ({}, "LastModifiedTime"),
    "one by name": ({"Name": "TrialComponentName", "Operator": "Equals", "Value": "run-77"}, "LastModifiedTime"),
    "a parameter, by a metric": (
        {"Name": "Parameters.eta", "Operator": "LessThan", "Value": "0.05"},
        "Metrics.auc.max",
    ),
    "text in an artifact": (
        {"Name": "InputArtifacts.train.Value", "Operator": "Contains", "Value": "/77/"},
        "CreationTime",
    ),
    "a tag": ({"Name": "Tags.team", "Operator": "Equals", "Value": "team-3"}, "Metrics.auc.last"),
    "of an experiment": ({"Name": "Parents.ExperimentName", "Operator": "Equals", "Value": "none"}, "LastModifiedTime"),
}


def fill(database: Database, count: int) -> None:
    def change(tx: Any) -> None:
        for number in range(count):
            name = f"run-{number}"
            arn = f"arn:aws:sagemaker:us-east-1:123456789012:experiment-trial-component/{name}"
            request = {
                "TrialComponentName": name,
                "Parameters": {f"p{each}": {"NumberValue": each} for each in range(20)}
                | {"eta": {"NumberValue": number % 1000 / 1000}},
                "InputArtifacts": {"train": {"Value": f"s3://data/{number % 1000}/train.csv"}},
            }
            records.insert(
                tx,
                account="123456789012",
                region="us-east-1",
                kind=KIND,
                name=name,
                arn=arn,
                at=1e9 + number,
                request=request,
            )
            auc = {
                "count": 9,
                "mean": 0.5,
                "squares": 0.1,
                "min": 0.1,
                "max": number * 7919 % 997,
                "last": 1,
                "last_at": 1,
            }
            records.set_status(tx, arn, state={"metrics": {"auc": auc}})
            tags.put(tx, arn, [("team", f"team-{number % 10}")])

    database.write(change)


def milliseconds(ask: Callable[[], Any], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def page(database: Database, condition: dict[str, Any], sort_by: str) -> int:
    searched = resources()["ExperimentTrialComponent"]
    sql, arguments = "account = ? AND region = ? AND kind = ?", ("123456789012", "us-east-1", KIND)
    if condition:
        more, others = where(searched.resolver, {"Filters": [condition]})
        sql, arguments = f"{sql} AND {more}", (*arguments, *others)
    reader = database.reader
    total = reader.execute(f"SELECT count(*) FROM records WHERE {sql}", arguments).fetchone()[0]
    walk = _walk({"SortBy": sort_by}, searched.resolver, sql, arguments)
    read_page(reader, walk, after=None, size=100)
    return int(total)


def scan(database: Database) -> int:
    """What a server does that keeps documents and looks at each: read, parse, compare, sort."""
    rows = database.reader.execute("SELECT * FROM records WHERE kind = ?", (KIND,))
    found = [records.from_row(row) for row in rows]
    kept = [each for each in found if each.request["Parameters"]["eta"]["NumberValue"] < 0.05]
    return len(sorted(kept, key=lambda each: -each.state["metrics"]["auc"]["max"]))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "cloche.db")
        migrate(database, MIGRATIONS)
        fill(database, count)
        answer: dict[str, Any] = {"records": count}
        for title, (condition, sort_by) in EXPRESSIONS.items():
            hits = page(database, condition, sort_by)
            answer[title] = {
                "hits": hits,
                "ms": round(milliseconds(lambda c=condition, s=sort_by: page(database, c, s)), 1),
            }
        answer["scan in Python"] = {"hits": scan(database), "ms": round(milliseconds(lambda: scan(database), 3), 1)}
        database.close()
    print(json.dumps(answer, indent=1))


main()
