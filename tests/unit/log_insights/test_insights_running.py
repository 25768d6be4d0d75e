"""A query's process: what it answers, and how it ends when it must be ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from insights_events import AT, events_of

from cloche.engines.log_insights import running
from cloche.engines.log_insights.running import Run
from cloche.storage.logs.frames import encode


def task(folder: Path, query: str, messages: list[Any], segments: int = 1) -> dict[str, Any]:
    held = folder / "stream"
    held.mkdir(exist_ok=True)
    share = -(-len(messages) // segments)
    events = events_of(messages)
    for start in range(0, len(events), share):
        (held / f"{start:020d}.log").write_bytes(encode(events[start : start + share], AT))
    source = [7, "s", "1:g", str(held), 0]
    return {
        "query": query,
        "limit": None,
        "now_ms": AT,
        "high": 2**61,
        "sources": [source],
        "results": str(folder / "rows"),
    }


def rows(folder: Path) -> list[dict[str, str]]:
    return [dict(json.loads(line)) for line in (folder / "rows").read_text().splitlines()]


def test_several_processes_are_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PROCESSES", 3)
    messages = [{"n": n, "k": n % 7, "pad": "x" * 100_000} for n in range(140)]
    run = Run()
    outcome = run.work(task(tmp_path, "stats sum(n) as s, pct(n, 50) as p by k | sort k asc", messages, segments=5))
    assert outcome.status == "Complete", outcome.reason
    assert [row["s"] for row in rows(tmp_path)] == [str(sum(range(k, 140, 7))) for k in range(7)]
    assert run.counts.scanned == run.counts.matched == 140
    assert run.counts.bytes == sum(len(json.dumps(message)) for message in messages)


def test_an_expression_that_backtracks_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SILENT_SECONDS_MAX", 2.0)
    outcome = Run().work(task(tmp_path, "filter @message like /^(a+)+$/", ["a" * 40 + "!"]))
    assert outcome.status == "Failed"
    assert "backtracks" in outcome.reason
    monkeypatch.setattr(running, "SECONDS_MAX", 1.0)
    assert Run().work(task(tmp_path, "filter @message like /^(a+)+$/", ["a" * 40 + "!"])).status == "Timeout"


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MEMORY_BYTES_MAX", 160 * 1024 * 1024)
    monkeypatch.setattr(running, "PROCESSES", 1)
    messages = [f"{n} " + "y" * 250_000 for n in range(200)]
    outcome = Run().work(task(tmp_path, "fields concat(@message, @message) as m | sort m asc", messages, segments=4))
    assert outcome.status == "Failed"
    assert "memory" in outcome.reason


def test_damage_is_told(tmp_path: Path) -> None:
    asked = task(tmp_path, "stats count(*) as n", ["a", "b", "c", "d"], segments=2)
    first, last = sorted((tmp_path / "stream").iterdir())
    last.write_bytes(last.read_bytes()[:-1])
    assert Run().work(asked).status == "Complete"
    assert rows(tmp_path) == [{"n": "2"}], "a frame that is being written is not there yet"
    raw = bytearray(first.read_bytes())
    raw[-1] ^= 1
    first.write_bytes(bytes(raw) + last.read_bytes())
    outcome = Run().work(asked)
    assert outcome.status == "Failed"
    assert "damaged" in outcome.reason


def test_a_killed_query_has_ended_at_once(tmp_path: Path) -> None:
    run = Run()
    run.kill()
    assert run.work(task(tmp_path, "filter @message like /^(a+)+$/", ["a" * 40 + "!"])).status == "Failed"
