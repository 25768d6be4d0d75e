"""Charts of the console: what their horizontal axis shows, also of one point, and when more come."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOW = """
const figure = document.createElement("figure");
figure.dataset.chart = arguments[0];
document.querySelector("main").append(figure);
draw(figure);
window.shown = figure;
"""
ADD = "window.shown.dataset.chart = arguments[0]; draw(window.shown);"
ENDS = "const { min, max } = drawn.get(window.shown).plot.scales.x; return [min, max];"


def chart(x: list[float], x_is: str, *, is_logarithmic: bool) -> str:
    series = [{"label": "loss", "values": [0.5] * len(x)}]
    return json.dumps({"title": "one", "x": x, "x_is": x_is, "x_log": is_logarithmic, "series": series})


@pytest.mark.parametrize(
    ("x_is", "is_logarithmic", "first", "around", "then", "ends"),
    [
        ("time", False, 1_800_000_000, [1_799_998_200, 1_800_001_800], 1_800_000_060, [1_800_000_000, 1_800_000_060]),
        ("trial", False, 1, [0.4, 1.6], 5, [1, 5]),
        ("eta", True, 0.01, [0.005, 0.02], 1, [0.01, 1]),
    ],
    ids=["time", "number", "logarithmic"],
)
def test_one_point_stands_in_the_middle_and_more_fill_the_axis(
    page: Browser, world: Any, x_is: str, is_logarithmic: bool, first: float, around: list, then: float, ends: list
) -> None:
    page.open(world.server.url + "/_cloche/alarms")
    page.run(SHOW, chart([first], x_is, is_logarithmic=is_logarithmic))
    page.wait("one point", lambda: page.run(ENDS) == pytest.approx(around))
    page.run(ADD, chart([first, then], x_is, is_logarithmic=is_logarithmic))
    page.wait("two", lambda: page.run(ENDS) == pytest.approx(ends))
