"""Plots as SVG, written by hand: framework images have no plotting library, and a browser shows these everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

WIDTH, HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 30, 46
_INKS = ("#1f5c99", "#c2571a", "#2f7d4f", "#7a4a9e", "#8a6d1d")
_TEXT = 'font-family="sans-serif" font-size="11" fill="#333"'


@dataclass(frozen=True)
class Curve:
    name: str
    x: Any
    y: Any
    dashed: bool = False


def curves(title: str, x_name: str, y_name: str, lines: Sequence[Curve]) -> str:
    """Lines over common axes."""
    x_axis = _Axis.of([line.x for line in lines], _LEFT, WIDTH - _RIGHT)
    y_axis = _Axis.of([line.y for line in lines], HEIGHT - _BOTTOM, _TOP)
    drawn = []
    for number, line in enumerate(lines):
        ink = _INKS[number % len(_INKS)] if not line.dashed else "#999"
        points = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in zip(line.x, line.y, strict=True))
        dash = ' stroke-dasharray="4 3"' if line.dashed else ""
        drawn.append(f'<polyline fill="none" stroke="{ink}" stroke-width="1.6"{dash} points="{points}"/>')
        place = f'x="{WIDTH - _RIGHT - 6}" y="{HEIGHT - _BOTTOM - 8 - 14 * (len(lines) - 1 - number)}"'
        drawn.append(f'<text {_TEXT} text-anchor="end" {place} style="fill:{ink}">{escape(line.name)}</text>')
    return _figure(title, x_axis.ticks(_below) + y_axis.ticks(_beside) + _names(x_name, y_name) + "".join(drawn))


def bars(title: str, x_name: str, y_name: str, names: Sequence[str], heights: Any, level: float | None = None) -> str:
    """A bar for each name, with a dashed line at ``level``."""
    values = [float(each) for each in heights]
    y_axis = _Axis.of([[0.0, *values, *([level] if level is not None else [])]], HEIGHT - _BOTTOM, _TOP)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    drawn = []
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        top, foot = sorted((y_axis.at(value), y_axis.at(0.0)))
        x = _LEFT + step * (number + 0.15)
        drawn.append(
            f'<rect fill="{_INKS[0]}" x="{x:.1f}" y="{top:.1f}" width="{step * 0.7:.1f}" '
            f'height="{foot - top:.1f}"><title>{escape(name)}: {value:.6g}</title></rect>'
            f'<text {_TEXT} text-anchor="middle" x="{x + step * 0.35:.1f}" y="{HEIGHT - _BOTTOM + 15}">'
            f"{escape(name)}</text>"
        )
    if level is not None:
        y = y_axis.at(level)
        ends = f'x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        drawn.append(f'<line stroke="#999" stroke-dasharray="4 3" {ends}/>')
    return _figure(title, y_axis.ticks(_beside) + _names(x_name, y_name) + "".join(drawn))


def matrix(title: str, x_name: str, y_name: str, classes: Sequence[str], counts: Any) -> str:
    """A confusion matrix: rows actual, columns predicted, shaded by their share of the row."""
    table = np.asarray(counts, dtype=float)
    size = len(classes)
    width, height = (WIDTH - _LEFT - _RIGHT) / size, (HEIGHT - _TOP - _BOTTOM) / size
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    drawn = []
    for row in range(size):
        y = _TOP + height * row
        place = f'text-anchor="end" x="{_LEFT - 6}" y="{y + height / 2 + 4:.1f}"'
        drawn.append(f"<text {_TEXT} {place}>{escape(classes[row])}</text>")
        for column in range(size):
            x = _LEFT + width * column
            share = shares[row, column]
            drawn.append(
                f'<rect fill="{_INKS[0]}" fill-opacity="{0.06 + 0.84 * share:.2f}" x="{x:.1f}" y="{y:.1f}" '
                f'width="{width - 1:.1f}" height="{height - 1:.1f}"/>'
                f'<text {_TEXT} text-anchor="middle" x="{x + width / 2:.1f}" y="{y + height / 2 + 4:.1f}" '
                f'style="fill:{"#fff" if share > 0.55 else "#333"}">{table[row, column]:g}</text>'
            )
    for column, name in enumerate(classes):
        x = _LEFT + width * (column + 0.5)
        place = f'text-anchor="middle" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 15}"'
        drawn.append(f"<text {_TEXT} {place}>{escape(name)}</text>")
    return _figure(title, _names(x_name, y_name) + "".join(drawn))


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float
    """Places on the drawing of ``low`` and ``high``."""

    @classmethod
    def of(cls, columns: Sequence[Any], start: float, end: float) -> _Axis:
        values = np.concatenate([np.asarray(column, dtype=float).ravel() for column in columns])
        low, high = float(values.min()), float(values.max())
        if low == high:
            low, high = low - 0.5, high + 0.5
        if 0 < low < 0.25 * high:
            low = 0.0
        return cls(low, high, start, end)

    def at(self, value: float) -> float:
        return self.start + (float(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, draw: Any) -> str:
        raw = (self.high - self.low) / 5
        power = 10.0 ** np.floor(np.log10(raw))
        step = next(power * each for each in (1, 2, 5, 10) if power * each >= raw)
        first = np.ceil(self.low / step - 1e-9) * step
        values = np.arange(first, self.high + step * 1e-6, step)
        return "".join(draw(self.at(value), f"{value:.6g}") for value in values)


def _below(place: float, words: str) -> str:
    y = HEIGHT - _BOTTOM
    line = f'<line stroke="#e4e4e4" x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP}" y2="{y}"/>'
    return line + f'<text {_TEXT} text-anchor="middle" x="{place:.1f}" y="{y + 15}">{words}</text>'


def _beside(place: float, words: str) -> str:
    line = f'<line stroke="#e4e4e4" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
    return line + f'<text {_TEXT} text-anchor="end" x="{_LEFT - 6}" y="{place + 4:.1f}">{words}</text>'


def _names(x_name: str, y_name: str) -> str:
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    across = f'<text {_TEXT} text-anchor="middle" x="{(WIDTH + _LEFT) / 2}" y="{HEIGHT - 12}">{escape(x_name)}</text>'
    turn = f'transform="rotate(-90 12 {middle})" x="12" y="{middle}"'
    return across + f'<text {_TEXT} text-anchor="middle" {turn}>{escape(y_name)}</text>'


def _figure(title: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text {_TEXT} font-weight="bold" x="{_LEFT}" y="18">{escape(title)}</text>{inside}</svg>'
    )
