"""Metric values in lines of a log.

A built-in algorithm's expressions are known, and quick in lines that hold the text each of them demands (they begin
with ``.*`` and would go through any other line again and again): they are searched here, in such lines. Users'
expressions may take exponential time, and Python's matcher cannot be stopped in a thread. So those are searched in a
small process of their own (``scrape_apart.py``), which gives each line a limit and drops an expression that passes it;
the server waits for a batch a bounded time and then does without that job's metrics.
"""

from __future__ import annotations

import logging
import marshal
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cloche.engines.training.plan import Metric
from cloche.foundation.descriptors import is_readable
from cloche.foundation.errors import Invalid

log = logging.getLogger(__name__)

LINE_CHARACTERS_MAX: Final = 4_000
"""How much of a long line is searched."""
BATCH_SECONDS_MAX: Final = 20.0
_APART: Final = Path(__file__).with_name("scrape_apart.py")
Found = list[tuple[str, float]]


def check(metric: Metric) -> None:
    """Raises ``Invalid`` for an expression that cannot be used, naming the metric."""
    try:
        groups = re.compile(metric.regex).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise Invalid(f"Regex of metric {metric.name} is not a regular expression: {error}") from None
    if groups == 0:
        raise Invalid(f"Regex of metric {metric.name} has no group that would hold the value")


class Scraper:
    """``find`` answers, for each line, the metrics it tells in the order they were defined."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._here = [
            (metric.name, demanded(metric.regex), re.compile(metric.regex)) for metric in metrics if metric.built_in
        ]
        theirs = [metric for metric in metrics if not metric.built_in]
        self._apart = _Apart(theirs) if theirs else None

    def find(self, lines: Sequence[str]) -> list[Found]:
        shown = [line[:LINE_CHARACTERS_MAX] for line in lines]
        found = [self._find(line) for line in shown]
        if self._apart is not None:
            for mine, theirs in zip(found, self._apart.find(shown), strict=True):
                mine += theirs
        return found

    def close(self) -> None:
        if self._apart is not None:
            self._apart.close()

    def _find(self, line: str) -> Found:
        found: Found = []
        for name, text, expression in self._here:
            match = expression.search(line) if text in line else None
            if match is not None and (value := number(match.group(1))) is not None:
                found.append((name, value))
        return found


def demanded(regex: str) -> str:
    """The longest text that every match of ``regex`` must hold; empty where that is not plain to see."""
    if "|" in regex:
        return ""
    runs, depth, pieces = [""], 0, re.findall(r"\\.|\[\^?\]?[^\]]*\]|[*+?]|\{[0-9,]*\}|.", regex)
    for piece, after in zip(pieces, [*pieces[1:], ""], strict=True):
        depth += (piece == "(") - (piece == ")")
        text = piece.removeprefix("\\")
        is_text = not text.isalnum() if piece[0] == "\\" else len(piece) == 1 and piece not in ".^$*+?()"
        if depth == 0 and is_text and after[:1] not in ("*", "?", "{"):
            runs[-1] += text
        if runs[-1] and (depth or not is_text or after[:1] in ("*", "?", "{", "+")):
            runs.append("")
    return max(runs, key=len)


def number(text: str | None) -> float | None:
    """The number ``text`` is, unless it is none that CloudWatch takes."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


class _Apart:
    """The process that searches users' expressions. Begun with the first lines, gone for good once it was late."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = False

    def find(self, lines: list[str]) -> list[Found]:
        nothing: list[Found] = [[] for _ in lines]
        if self._given_up:
            return nothing
        try:
            process = self._process or self._begin()
            _send(process, lines)
            answer: list[list[tuple[int, str]]] = _receive(process, time.monotonic() + BATCH_SECONDS_MAX)
        except (OSError, EOFError, TimeoutError) as error:
            log.warning("metrics %s are not looked for any more: %s", [m.name for m in self._metrics], error)
            self._given_up = True
            self.close()
            return nothing
        return [
            [(self._metrics[at].name, value) for at, text in line if (value := number(text)) is not None]
            for line in answer
        ]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _begin(self) -> subprocess.Popen[bytes]:
        python = getattr(sys, "_base_executable", None) or sys.executable
        self._process = subprocess.Popen(
            [python, "-I", "-S", str(_APART)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            start_new_session=True,
            bufsize=0,
        )
        _send(self._process, [metric.regex for metric in self._metrics])
        return self._process


def _send(process: subprocess.Popen[bytes], document: Any) -> None:
    assert process.stdin is not None
    data = marshal.dumps(document)
    view = memoryview(len(data).to_bytes(8, "big") + data)
    while view:
        view = view[process.stdin.write(view) or 0 :]


def _receive(process: subprocess.Popen[bytes], deadline: float) -> Any:
    size = int.from_bytes(_read(process, 8, deadline), "big")
    return marshal.loads(_read(process, size, deadline))  # noqa: S302 - from our own program


def _read(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert process.stdout is not None
    data = bytearray()
    while len(data) < size:
        if not is_readable(process.stdout.fileno(), deadline - time.monotonic()):
            raise TimeoutError("the search took too long")
        chunk = process.stdout.read(size - len(data))
        if not chunk:
            raise EOFError("the search ended")
        data += chunk
    return bytes(data)
