"""The loop closes: a world that drifts, an alarm, a retrained model that takes over; nothing but the example."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from example_runs import CLOCHE

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(1200)]
DAYS = 8


def test_a_model_that_the_world_has_left_is_replaced(start_server: Callable[..., Any]) -> None:
    server = start_server()
    line = [CLOCHE, *f"demo drift --data {server.data} --days {DAYS} --drift 0 --every 12".split()]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=1100)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert told["requests"] == 1500 + DAYS * 480, "every request was answered, canary or not"
    assert told["rang"] and told["retrained"] >= 1, told
    assert told["approved"] >= told["serving"] >= 2, "what serves was approved by the policy"
    assert told["canaries"] >= told["serving"] - 1, "each version but the first had a part of the requests first"
    assert told["baseline"] == str(told["serving"]), "the data monitor goes by the baseline of what serves"
    before, worst, after = told["auc"][0], min(told["auc"]), told["auc"][-1]
    assert worst < before - 0.06, told
    assert after - worst > 0.3 * (before - worst), "a third of what was lost, the world being another now"
    drifted = [violated for violated, _ in told["violations"]]
    assert drifted[0] == 0 < max(drifted) and drifted[-1] < max(drifted), "the new baselines know the world as it is"
    history = [
        item["HistorySummary"]
        for page in server.client("cloudwatch")
        .get_paginator("describe_alarm_history")
        .paginate(AlarmName=told["alarm"])
        for item in page["AlarmHistoryItems"]
    ]
    assert any(each.startswith("Alarm updated from ") and each.endswith(" to ALARM") for each in history), history
    assert any(each.startswith("Successfully executed action arn:aws:sns:") for each in history), history
