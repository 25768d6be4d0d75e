"""What PutLogEvents has acknowledged is there after the server is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any


def test_acknowledged_events_survive_a_kill(start_server: Callable[..., Any]) -> None:
    server = start_server()
    logs = server.client("logs")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    now = int(time.time() * 1000)
    for number in range(20):
        logs.put_log_events(
            logGroupName="/g", logStreamName="s", logEvents=[{"timestamp": now + number, "message": f"{number}"}]
        )
    server.stop(signal.SIGKILL)
    server.start()
    logs = server.client("logs")
    events = logs.get_log_events(logGroupName="/g", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in events] == [f"{number}" for number in range(20)]
    (stream,) = logs.describe_log_streams(logGroupName="/g")["logStreams"]
    assert stream["lastEventTimestamp"] == now + 19
