"""TestMetricFilter: a filter pattern tried on messages. Metric filters themselves are not built."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.filter_patterns import compile_pattern


@operation("TestMetricFilter", reads=True)
def test_metric_filter(ctx: Context, request: Members) -> Members:
    """Messages are numbered from 1."""
    pattern = compile_pattern(request["filterPattern"])
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": message, "extractedValues": dict(pattern.extract(message))}
            for number, message in enumerate(request["logEventMessages"], 1)
            if pattern.matches(message)
        ]
    }
