"""What a dashboard's body may be, and what is wrong with one.

The structure is docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html;
the messages are CloudWatch's as far as they were seen in public (aws-samples/aws-eda-slurm-cluster#116,
pulumi/pulumi#13059, aws-solutions-library-samples/guidance-for-automating-network-monitoring-and-alerting-on-aws#7),
and made in their manner for the rest. Settings of a widget that these do not name are let through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

Flaw = tuple[str, str]
"""A path into the body, and what is wrong there. An empty path: the body is no body at all."""

WIDGETS_MAX: Final = 500
FLAWS_MAX: Final = 100
_SIZES: Final = {"x": (0, 23), "y": (0, 10**6), "width": (1, 24), "height": (1, 1000)}


def flaws_of(text: str) -> list[Flaw]:
    """Empty for a body that may be kept; at most ``FLAWS_MAX``."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [("", "The field DashboardBody must be a valid JSON object")]
    if not isinstance(body, dict):
        return [("", "The field DashboardBody must be a valid JSON object")]
    found: list[Flaw] = []
    for flaw in _body(body):
        found.append(flaw)
        if len(found) == FLAWS_MAX:
            break
    return found


def _body(body: dict[str, Any]) -> Iterator[Flaw]:
    widgets = body.get("widgets")
    if widgets is None:
        yield "/", "Should have required property 'widgets'"
        return
    if not isinstance(widgets, list):
        yield "/widgets", "Should be array"
        return
    if len(widgets) > WIDGETS_MAX:
        yield "/widgets", f"Should NOT have more than {WIDGETS_MAX} items"
    for at, widget in enumerate(widgets):
        yield from _widget(f"/widgets/{at}", widget)


def _widget(path: str, widget: Any) -> Iterator[Flaw]:
    if not isinstance(widget, dict):
        yield path, "Should be object"
        return
    for name, (low, high) in _SIZES.items():
        if name in widget:
            yield from _size(f"{path}/{name}", widget[name], low, high)
    kind = widget.get("type")
    if kind is None:
        yield path, "Should have required property 'type'"
        return
    check = _KINDS.get(kind) if isinstance(kind, str) else None
    if check is None:
        yield f"{path}/type", "Should be equal to one of the allowed values"
        return
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield path, "Should have required property 'properties'"
        return
    yield from check(f"{path}/properties", properties)


def _size(path: str, value: Any, low: int, high: int) -> Iterator[Flaw]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield path, "Should be integer"
    elif value < low:
        yield path, f"Should be >= {low}"
    elif value > high:
        yield path, f"Should be <= {high}"


def _metric(path: str, properties: dict[str, Any]) -> Iterator[Flaw]:
    if "metrics" not in properties and "annotations" not in properties:
        yield path, "Should have required property 'metrics'"
        yield path, "The metric widget should have specified a region and a data source or an alarm annotation"
        yield path, "Should have required property 'annotations'"
        return
    metrics = properties.get("metrics")
    if metrics is None:
        return
    if not isinstance(metrics, list):
        yield f"{path}/metrics", "Should be array"
        return
    for at, metric in enumerate(metrics):
        if not isinstance(metric, list):
            yield f"{path}/metrics/{at}", "Should be array"
        if not _is_metric(metric):
            yield (
                f"{path}/metrics/{at}",
                'Field "metrics" has to be an array of array of strings, with an optional metricRenderer object as '
                "last element",
            )
    if "region" not in properties:
        yield path, "Should have required property 'region'"


def _is_metric(metric: Any) -> bool:
    if not isinstance(metric, list) or not metric:
        return False
    *names, last = metric
    return all(isinstance(name, str) for name in names) and isinstance(last, str | dict)


def _needing(*names: str) -> Callable[[str, dict[str, Any]], Iterator[Flaw]]:
    def check(path: str, properties: dict[str, Any]) -> Iterator[Flaw]:
        for name in names:
            if name not in properties:
                yield path, f"Should have required property '{name}'"

    return check


def _alarm(path: str, properties: dict[str, Any]) -> Iterator[Flaw]:
    yield from _needing("alarms")(path, properties)
    alarms = properties.get("alarms")
    if alarms is not None and not isinstance(alarms, list):
        yield f"{path}/alarms", "Should be array"
    elif alarms == []:
        yield f"{path}/alarms", "Should NOT have less than 1 items"


_KINDS: Final[Mapping[str, Callable[[str, dict[str, Any]], Iterator[Flaw]]]] = {
    "metric": _metric,
    "text": _needing("markdown"),
    "log": _needing("query", "region"),
    "alarm": _alarm,
    "explorer": _needing("metrics"),
    "custom": _needing("endpoint"),
    "chart": _needing(),
}
