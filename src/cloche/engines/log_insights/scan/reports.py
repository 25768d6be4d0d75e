"""Fields of the lines that Lambda writes around an invocation, discovered in any group as AWS does in Lambda's:

    REPORT RequestId: 1b0e… Duration: 12.5 ms Billed Duration: 13 ms Memory Size: 128 MB Max Memory Used: 60 MB

docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html; memory is in bytes there
(its samples divide by 1000 / 1000).
"""

from __future__ import annotations

import re
from typing import Any, Final

REPORT_FIELDS: Final = frozenset(
    {
        "@billedDuration",
        "@duration",
        "@initDuration",
        "@maxMemoryUsed",
        "@memorySize",
        "@requestId",
        "@type",
    }
)
_LINE: Final = re.compile(rb"(START|END|REPORT) RequestId: ([0-9a-fA-F-]{36})")
_PART: Final = re.compile(
    rb"(?:^|[\t ])(Duration|Billed Duration|Init Duration|Memory Size|Max Memory Used): ([0-9.]+) (?:ms|MB)"
)
_NAMES: Final = {
    b"Duration": ("@duration", 1),
    b"Billed Duration": ("@billedDuration", 1),
    b"Init Duration": ("@initDuration", 1),
    b"Memory Size": ("@memorySize", 1_000_000),
    b"Max Memory Used": ("@maxMemoryUsed", 1_000_000),
}


def report_fields(message: bytes) -> dict[str, Any]:
    line = _LINE.match(message)
    if line is None:
        return {}
    found: dict[str, Any] = {"@type": line[1].decode(), "@requestId": line[2].decode()}
    if line[1] == b"REPORT":
        for part in _PART.finditer(message, line.end()):
            name, scale = _NAMES[part[1]]
            held = float(part[2]) * scale
            found.setdefault(name, int(held) if held.is_integer() else held)
    return found
