"""Requests and engine states as JSON text, and back, without losing what JSON has no word for.

A ``datetime`` is kept as ``{"$at": seconds}`` and ``bytes`` as ``{"$bytes": base64}``. A caller's own key that
begins with ``$`` gets a second one, so that no document can be mistaken for one of these.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import orjson

from cloche.foundation.clock import from_epoch


def to_text(document: dict[str, Any]) -> str:
    # Nearly every document has neither times, bytes nor dollar keys: then it is what is written.
    try:
        text = orjson.dumps(document, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except TypeError:
        return orjson.dumps(_plain(document)).decode()
    return orjson.dumps(_plain(document)).decode() if '"$' in text else text


def from_text(text: str) -> dict[str, Any]:
    document = orjson.loads(text)
    # Nearly every document has neither times, bytes nor dollar keys: then what was read is the answer.
    return _rich(document) if '"$' in text else document  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {("$" + key if key.startswith("$") else key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return {"$at": value.timestamp()}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        if "$at" in value:
            return from_epoch(value["$at"])
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
    return {(key[1:] if key.startswith("$$") else key): _rich(item) for key, item in value.items()}
