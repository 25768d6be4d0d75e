"""``cloche pipelines``: lists, and draws for programs and for people."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import Any

import pytest
from pipeline_requests import PipelineBench, condition, equals, fail


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


def say(bench: PipelineBench, *arguments: str) -> str:
    command = [sys.executable, "-m", "cloche.cli.main", "pipelines", *arguments, "--data", str(bench.server.data)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_pipeline_is_drawn_with_its_states(bench: PipelineBench) -> None:
    bench.pipeline("drawn", condition("ask", equals(1, 2), then=[fail("not-this")], other=[fail("the-end", "as told")]))
    assert "not-this\tFail\t\t\task" in say(bench, "show", "drawn").splitlines()
    arn = bench.start("drawn")
    lines = [line.split("\t") for line in say(bench, "show", "drawn", "--follow").splitlines()]
    assert [line[:3] for line in lines] == [
        ["ask", "Condition", "Succeeded"],
        ["not-this", "Fail", ""],
        ["the-end", "Fail", "Failed"],
    ]
    assert say(bench, "show", "drawn", "--execution", arn.rpartition("/")[2]) == say(bench, "show", "drawn")
    assert any(line.startswith("drawn\t") for line in say(bench, "list").splitlines())


def test_people_see_a_tree(bench: PipelineBench) -> None:
    bench.run_pipeline("watched", condition("ask", equals(1, 2), other=[fail("the-end", "as told")]))
    screen, terminal = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "cloche.cli.main",
        "pipelines",
        "show",
        "watched",
        "--data",
        str(bench.server.data),
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    subprocess.run(command, check=True, stdout=terminal, env=environment)
    os.close(terminal)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", os.read(screen, 65_536).decode())
    os.close(screen)
    assert "watched  Failed" in shown
    assert "✔ ask  Condition" in shown
    assert "✘ the-end  Fail  else" in shown and "as told" in shown
