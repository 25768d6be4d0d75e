"""JSON as the container writes it: by Jackson, with Java's doubles.

``{ "key" : value }`` with a blank before the colon, two blanks a level, lists as ``[ {``. A double is never written as
an integer (``1.0``), and with an exponent below 1e-3 and from 1e7 on (``1.0E-5``): ``Double.toString`` of
docs.oracle.com/javase/8/docs/api. Digits are the fewest that read back as the same double; Java before 19 sometimes
writes one more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloche_jobs.contract.failure import UserError


def java_double(value: float) -> str:
    """``Double.toString``; what is no number is ``NaN``, ``Infinity``, ``-Infinity``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        return repr(value)
    digits, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        digits, _, exponent = _scientific(value).partition("e")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def _scientific(value: float) -> str:
    """``repr`` with an exponent, where ``repr`` itself writes none."""
    for places in range(17):
        text = f"{value:.{places}e}"
        if float(text) == value:
            return text
    return f"{value:.17e}"


def text_of(value: Any, indent: str = "") -> str:
    """``value`` as the container writes it. Doubles that are no numbers become strings, as Jackson has them."""
    deeper = indent + "  "
    if isinstance(value, Mapping):
        if not value:
            return "{ }"
        members = (f"{deeper}{json.dumps(name)} : {text_of(each, deeper)}" for name, each in value.items())
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        text = java_double(value)
        return text if math.isfinite(value) else f'"{text}"'
    if isinstance(value, Sequence):
        return f"[ {', '.join(text_of(each, indent) for each in value)} ]" if len(value) else "[ ]"
    raise TypeError(f"{type(value).__name__} has no place in these documents")


def write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(document), encoding="utf-8", errors="replace")


def read(path: Path, what: str) -> dict[str, Any]:
    """A document that the request named. Raises ``UserError`` where it is not there or is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{what} {path.name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{what} {path.name} is not a JSON object")
    return document
