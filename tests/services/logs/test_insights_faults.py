"""The server is killed while queries run: their processes end with it, and the queries are asked again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEVER = "filter @message like /^(a+)+$/"


def descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_queries_survive_a_killed_server(start_server: Callable[..., Any]) -> None:
    running = start_server()
    logs = running.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(time.time())
    events = [{"timestamp": now * 1000, "message": "a" * 40 + "!"}]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    times = {"logGroupName": "g", "startTime": now - 60, "endTime": now + 60}
    hanging = [logs.start_query(queryString=NEVER, **times)["queryId"] for _ in range(2)]
    waiting = logs.start_query(queryString="stats count(*) as n", **times)["queryId"]

    def status(id: str) -> str:
        return str(running.client("logs").get_query_results(queryId=id)["status"])

    wait(lambda: all(status(id) == "Running" for id in hanging))
    assert status(waiting) == "Scheduled"
    children = descendants(running.process.pid)
    wait(lambda: len(descendants(running.process.pid)) >= 4)
    children |= descendants(running.process.pid)
    running.stop(signal.SIGKILL)
    wait(lambda: not any(is_alive(pid) for pid in children))
    running.start()
    wait(lambda: all(status(id) == "Running" for id in hanging))
    for id in hanging:
        running.client("logs").stop_query(queryId=id)
    wait(lambda: status(waiting) == "Complete")
    assert running.client("logs").get_query_results(queryId=waiting)["results"] == [[{"field": "n", "value": "1"}]]
    assert [status(id) for id in hanging] == ["Cancelled", "Cancelled"]
    wait(lambda: not descendants(running.process.pid))
    hanging = [running.client("logs").start_query(queryString=NEVER, **times)["queryId"]]
    wait(lambda: status(hanging[0]) == "Running")
    assert running.stop() == 0, "a server that is asked to stop does not wait for its queries"
