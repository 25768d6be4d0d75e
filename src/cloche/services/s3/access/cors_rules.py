"""Cross-origin rules of a bucket: which page may ask what, and the headers that tell it so.

Source: docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html ("How does Amazon S3 evaluate the CORS
configuration on a bucket?": the first rule that matches origin, method and, of a preflight, every header).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

Rule = Mapping[str, Any]
HeaderLines = list[tuple[str, str]]


def matching(rules: Sequence[Rule], origin: str, method: str, headers: Sequence[str] = ()) -> Rule | None:
    """The first rule for a page of ``origin`` that asks with ``method`` and would send ``headers``."""
    for rule in rules:
        if method not in rule.get("AllowedMethods", ()):
            continue
        if not any(_like(pattern)(origin) for pattern in rule.get("AllowedOrigins", ())):
            continue
        allowed = [_like(pattern.lower()) for pattern in rule.get("AllowedHeaders", ())]
        if all(any(like(header.lower()) for like in allowed) for header in headers):
            return rule
    return None


def headers_of(rule: Rule, origin: str, asked_headers: Sequence[str] = ()) -> HeaderLines:
    """What an answer that the rule lets through carries; ``asked_headers`` are those of a preflight."""
    anybody = "*" in rule.get("AllowedOrigins", ())
    lines = [
        ("Access-Control-Allow-Origin", "*" if anybody else origin),
        ("Access-Control-Allow-Methods", ", ".join(rule["AllowedMethods"])),
    ]
    if asked_headers:
        lines.append(("Access-Control-Allow-Headers", ", ".join(header.lower() for header in asked_headers)))
    if exposed := rule.get("ExposeHeaders"):
        lines.append(("Access-Control-Expose-Headers", ", ".join(exposed)))
    if rule.get("MaxAgeSeconds") is not None:
        lines.append(("Access-Control-Max-Age", str(rule["MaxAgeSeconds"])))
    if not anybody:
        lines.append(("Access-Control-Allow-Credentials", "true"))
    lines.append(("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
    return lines


@lru_cache(maxsize=1024)
def _like(pattern: str) -> Any:
    """A matcher for a text with at most one ``*``."""
    before, star, after = pattern.partition("*")
    return re.compile(f"{re.escape(before)}{'.*' if star else ''}{re.escape(after)}", re.DOTALL).fullmatch
