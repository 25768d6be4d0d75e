"""A server that is killed while it processes: every job ends once, with all its lines and all its files."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from processing_requests import ML, Bench, sink, source

pytestmark = pytest.mark.slow
COUNTING = f"""
for n in 1 2 3 4 5 6; do echo "line $n"; echo $n >> {ML}/output/end/n; echo $n > {ML}/output/on/$n; sleep 0.15; done
echo $(cat {ML}/input/rows/x) started >> {ML}/output/end/started
printf done > /opt/ml/output/message
"""


def test_killed_again_and_again(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = Bench(server)
    dice = random.Random(20261125)
    bench.put("in/x", "x")
    names = [f"killed-{number}" for number in range(3)]
    for name in names:
        bench.create(
            name,
            COUNTING,
            ProcessingInputs=[source("rows", "in/x")],
            ProcessingOutputConfig={
                "Outputs": [sink("end", f"{name}/end"), sink("on", f"{name}/on", mode="Continuous")]
            },
        )
    for _ in range(3):
        time.sleep(dice.uniform(0.0, 0.5))  # at whatever it is
        server.stop(signal.SIGKILL)
        server.start()
        bench.connect()
    for name in names:
        job = bench.ended(name)
        assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "done"), job
        assert bench.lines(name) == [f"line {number}" for number in range(1, 7)]
        assert bench.get(f"{name}/end/n").split() == [b"1", b"2", b"3", b"4", b"5", b"6"], "it ran once"
        assert bench.get(f"{name}/end/started") == b"x started\n"
        assert len(bench.keys(f"{name}/on/")) == 6
    deadline = time.monotonic() + 10
    while any((server.data / "run" / "processing").iterdir()):
        assert time.monotonic() < deadline, "what the jobs left goes"
        time.sleep(0.05)


def test_stopped_while_no_server_was_there(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = Bench(server)
    bench.create("unattended", "echo up; sleep 60", StoppingCondition={"MaxRuntimeInSeconds": 2})
    bench.says("unattended", "up")
    bench.create("stopping", "echo up; sleep 60")
    bench.says("stopping", "up")
    bench.sagemaker.stop_processing_job(ProcessingJobName="stopping")
    server.stop(signal.SIGKILL)
    time.sleep(2.5)
    server.start()
    bench.connect()
    assert bench.ended("unattended")["ProcessingJobStatus"] == "Stopped"
    assert bench.ended("stopping")["ProcessingJobStatus"] == "Stopped"
