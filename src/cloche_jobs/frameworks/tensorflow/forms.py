"""What is sent to an endpoint, as the request that TensorFlow Serving reads.

Source: ``tensorflowServing.js`` and ``tfs_utils.py`` of aws/sagemaker-tensorflow-serving-container. Where those join
pieces of text, this joins what the text means: commas and quotes within quoted cells of CSV come through.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Final

from cloche_jobs.serving import InferenceError

JSON: Final = ("application/json", "application/jsonlines", "application/jsons")
_ATTRIBUTE: Final = re.compile(r"(tfs-[a-z\-]+)=([^,]+)")
_SERVING: Final = ("instances", "inputs", "examples")
_NUMERIC: Final = re.compile(r'^\s*("|[\d.Ee+\-]+.*)')


def attributes(header: str) -> dict[str, str]:
    """``tfs-model-name``, ``tfs-model-version`` and ``tfs-method`` of the custom attributes."""
    return dict(_ATTRIBUTE.findall(header))


def asked(body: bytes, content_type: str) -> dict[str, Any]:
    """The document for TensorFlow Serving. Raises ``InferenceError``."""
    try:
        if content_type in JSON:
            return _of_json(body.decode())
        if content_type == "text/csv":
            return {"instances": _of_csv(body.decode())}
    except (ValueError, RecursionError) as error:
        raise refusal(400, f"JSON Parse error: {error}") from error
    raise refusal(415, f"Unsupported Media Type: {content_type or 'Unknown'}")


def refusal(status: int, message: str) -> InferenceError:
    return InferenceError(status, json.dumps({"error": message}))


def _of_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return {"instances": [json.loads(line) for line in lines]}
    if isinstance(value, dict) and any(name in value for name in _SERVING):
        return value
    is_table = isinstance(value, list) and bool(value) and isinstance(value[0], list)
    return {"instances": value if is_table else [value]}


def _of_csv(text: str) -> list[Any]:
    """Each line a row; a line of one cell is that cell. Text, unless the first cell is a number or quoted."""
    as_text = _NUMERIC.match(text) is None
    rows: list[Any] = []
    for cells in csv.reader(io.StringIO(text.strip())):
        if cells:
            row = [cell if as_text else _plain(cell) for cell in cells]
            rows.append(row if len(row) > 1 else row[0])
    return rows


def _plain(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return cell
