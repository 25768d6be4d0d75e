"""Fields of one event, as ``GetLogRecord`` shows them all and ``GetLogGroupFields`` counts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

FIELDS_MAX: Final = 200
"""Of a JSON message: "CloudWatch Logs Insights can extract a maximum of 200 log event fields from a JSON log",
docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html."""
_DEPTH_MAX: Final = 100


def json_fields(message: str) -> dict[str, str]:
    """Objects and lists are gone through: ``a.b.0.c``. A message that is no object has none."""
    if not message.startswith("{"):
        return {}
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return {}
    found: dict[str, str] = {}
    for name, value in _leaves("", document, _DEPTH_MAX):
        if len(found) >= FIELDS_MAX:
            break
        found.setdefault(name, value)
    return found


def _leaves(prefix: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list) and depth:
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in parts:
            yield from _leaves(f"{prefix}.{name}" if prefix else str(name), part, depth - 1)
    elif isinstance(value, bool):
        yield prefix, "1" if value else "0"
    elif value is not None:
        yield prefix, value if isinstance(value, str) else orjson.dumps(value).decode()
