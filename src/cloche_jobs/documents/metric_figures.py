"""Metrics of a model card that are more than a number: lines, bars and matrices, drawn."""

from __future__ import annotations

from typing import Any, Final

from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.charts.lineplots import LinePlot
from reportlab.graphics.shapes import Drawing, String
from reportlab.lib import colors
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Table, TableStyle

_INK: Final = colors.HexColor("#1f5c99")
_HEIGHT: Final = 55 * mm


def figure_of(metric: dict[str, Any], width: float) -> Flowable:
    """``metric`` is a ``linear_graph``, ``bar_chart`` or ``matrix`` of AWS's schema."""
    kind = metric.get("type")
    if kind == "matrix":
        return _matrix(metric, width)
    drawing = Drawing(width, _HEIGHT)
    chart = _lines(metric) if kind == "linear_graph" else _bars(metric)
    chart.x, chart.y = 14 * mm, 14 * mm
    chart.width, chart.height = width - 30 * mm, _HEIGHT - 20 * mm
    drawing.add(chart)
    across = metric.get("x_axis_name")
    if isinstance(across, str):
        drawing.add(String(width / 2, 2 * mm, _plain(across), fontSize=7, textAnchor="middle"))
    if isinstance(metric.get("y_axis_name"), str):
        drawing.add(String(0, _HEIGHT - 4 * mm, _plain(metric["y_axis_name"]), fontSize=7))
    return drawing


def _lines(metric: dict[str, Any]) -> LinePlot:
    chart = LinePlot()
    chart.data = [[(float(x), float(y)) for x, y in metric["value"]]]
    chart.lines[0].strokeColor = _INK
    for axis in (chart.xValueAxis, chart.yValueAxis):
        axis.labels.fontSize = 7
        axis.rangeRound = "both"
    _widened(chart.xValueAxis, [x for x, _ in chart.data[0]])
    _widened(chart.yValueAxis, [y for _, y in chart.data[0]])
    return chart


def _widened(axis: Any, values: list[float]) -> None:
    """An axis of one value only would have no length."""
    if min(values) == max(values):
        axis.valueMin, axis.valueMax = min(values) - 0.5, max(values) + 0.5


def _bars(metric: dict[str, Any]) -> VerticalBarChart:
    chart = VerticalBarChart()
    values = [float(each) for each in metric["value"]]
    chart.data = [values]
    chart.bars[0].fillColor = _INK
    chart.bars[0].strokeColor = None
    names = metric.get("x_axis_name")
    if isinstance(names, list) and len(names) == len(values):
        chart.categoryAxis.categoryNames = [_plain(str(each)) for each in names]
    chart.categoryAxis.labels.fontSize = 6
    chart.categoryAxis.labels.angle = 30
    chart.categoryAxis.labels.boxAnchor = "ne"
    chart.valueAxis.labels.fontSize = 7
    chart.valueAxis.valueMin = min(0.0, *values)
    chart.valueAxis.valueMax = max(0.0, *values) or 1.0
    return chart


def _matrix(metric: dict[str, Any], width: float) -> Table:
    rows = [[f"{each:g}" for each in row] for row in metric["value"]]
    across, down = metric.get("x_axis_name"), metric.get("y_axis_name")
    cells = rows
    if isinstance(down, list) and len(down) == len(rows):
        cells = [[_plain(str(name)), *row] for name, row in zip(down, rows, strict=True)]
    columns = max(len(row) for row in cells)
    if isinstance(across, list) and across:
        head = [_plain(str(name)) for name in across]
        cells = [[*([""] * (columns - len(head))), *head][:columns], *cells]
    cells = [row + [""] * (columns - len(row)) for row in cells]
    style = [("FONTSIZE", (0, 0), (-1, -1), 7), ("GRID", (0, 0), (-1, -1), 0.25, colors.HexColor("#dddddd"))]
    return Table(cells, colWidths=[min(width / columns, 30 * mm)] * columns, style=TableStyle(style), hAlign="LEFT")


def _plain(words: str) -> str:
    return words.encode("cp1252", "backslashreplace").decode("cp1252")
