"""Names of functions and how many arguments they take, so that a query is refused before it runs.

docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html and, for aggregation,
CWL_QuerySyntax-Stats.html.
"""

from __future__ import annotations

from typing import Final

_MANY: Final = 1_000
FUNCTIONS: Final[dict[str, tuple[int, int]]] = {
    # numeric
    "abs": (1, 1), "ceil": (1, 1), "floor": (1, 1), "greatest": (1, _MANY), "least": (1, _MANY), "log": (1, 1),
    "sqrt": (1, 1), "round": (1, 2), "tonumber": (1, 1), "toint": (1, 1), "tolong": (1, 1), "todouble": (1, 1),
    # datetime
    "bin": (1, 1), "datefloor": (2, 2), "dateceil": (2, 2), "frommillis": (1, 1), "tomillis": (1, 1), "now": (0, 0),
    # general
    "ispresent": (1, 1), "coalesce": (1, _MANY), "if": (3, 3), "case": (2, _MANY), "unmask": (1, 1),
    # JSON
    "jsonparse": (1, 1), "jsonstringify": (1, 1),
    # IP addresses
    "isvalidip": (1, 1), "isvalidipv4": (1, 1), "isvalidipv6": (1, 1),
    "isipinsubnet": (2, 2), "isipv4insubnet": (2, 2), "isipv6insubnet": (2, 2),
    # strings
    "isempty": (1, 1), "isblank": (1, 1), "concat": (1, _MANY), "ltrim": (1, 2), "rtrim": (1, 2), "trim": (1, 2),
    "strlen": (1, 1), "toupper": (1, 1), "tolower": (1, 1), "substr": (2, 3), "replace": (3, 3), "strcontains": (2, 3),
    "startswith": (2, 2), "endswith": (2, 2), "regex_replace": (3, 3), "urlencode": (1, 1), "urldecode": (1, 1),
    "base64encode": (1, 1), "base64decode": (1, 1), "md5": (1, 1), "sha256": (1, 1),
}  # fmt: skip

AGGREGATES: Final[dict[str, tuple[int, int]]] = {
    "count": (0, 1), "count_distinct": (1, 1), "sum": (1, 1), "avg": (1, 1), "min": (1, 1), "max": (1, 1),
    "pct": (2, 2), "median": (1, 1), "stddev": (1, 1), "earliest": (1, 1), "latest": (1, 1),
    "sortsfirst": (1, 1), "sortslast": (1, 1),
}  # fmt: skip
