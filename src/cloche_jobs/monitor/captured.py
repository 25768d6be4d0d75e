"""Captured records of an endpoint as a table.

A record becomes one row: of CSV the output's cells and then the input's (``output_columns_position`` START), by place;
of JSON their members by name. A body of several CSV lines is one cell, as AWS has it: its analyzer takes a record for a
row. What was captured as base64 is decoded; its content type tells what it is.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.csv_files import block_of_lines
from cloche_jobs.monitor.json_files import documents_of_lines
from cloche_jobs.monitor.rows import TEXT_MAX, Gatherer, flat
from cloche_jobs.monitor.settings import ENDPOINT_INPUT, ENDPOINT_OUTPUT, Settings, parse_time

Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Payload:
    """One side of a record. ``encoding`` is ``CSV`` or ``JSON``, what base64 hid is decoded; else it is ``BASE64``."""

    data: str
    encoding: str
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    input: Payload | None
    output: Payload | None
    truth: Payload | None
    """Of a merged record: what really was."""
    metadata: Mapping[str, Any]
    version: str
    where: str
    """For messages: which line of which file."""


def records(paths: Sequence[Path], settings: Settings) -> Iterator[Record]:
    """Those of the window that the job is about. Raises ``UserError``."""
    for path in paths:
        for number, document in documents_of_lines(path):
            record = _record(document, f"line {number} of {path.name}")
            if is_within(document, settings, record.where):
                yield record


def blocks(paths: Sequence[Path], settings: Settings) -> Iterator[Any]:
    """Arrow record batches of the records, in their order. Raises ``UserError``."""
    rows, lines, width = Gatherer(), Lines(), 0
    for record in records(paths, settings):
        line = _plain_line(record, settings)
        if line is None:
            if lines.held:
                yield lines.take(width)
            rows.add(row_of(record, settings))
            if rows.ready:
                yield rows.take()
            continue
        if (last := rows.take()) is not None:
            yield last
        if lines.held and (lines.ready or line.count(",") + 1 != width):
            yield lines.take(width)
        width = line.count(",") + 1
        lines.add(line)
    if lines.held:
        yield lines.take(width)
    if (last := rows.take()) is not None:
        yield last


class Lines:
    """Rows of plain CSV, gathered as they are: Arrow takes them apart many times as fast as could be done here."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self._characters = 0

    def add(self, line: str) -> None:
        self.held.append(line)
        self._characters += len(line)

    @property
    def ready(self) -> bool:
        return self._characters >= TEXT_MAX

    def take(self, width: int) -> Any:
        block = block_of_lines(self.held, width)
        self.__init__()  # type: ignore[misc]
        return block


def _plain_line(record: Record, settings: Settings) -> str | None:
    """Both sides as one line; ``None`` unless they are CSV of one line without quotes."""
    texts = []
    for _, payload in _sides(record, settings):
        if payload is not None:
            if payload.encoding != "CSV":
                return None
            texts.append(payload.data.rstrip("\r\n"))
    line = ",".join(text for text in texts if text)
    return line if line and '"' not in line and "\n" not in line and "\r" not in line else None


def row_of(record: Record, settings: Settings) -> Row:
    """Raises ``UserError`` where the sides do not go together."""
    sides = [side for side in _sides(record, settings) if side[1] is not None]
    encodings = {name: payload.encoding for name, payload in sides if payload is not None}
    if len(set(encodings.values())) > 1:
        told = ", but ".join(f"Encoding is {encoding} for {name}" for name, encoding in sorted(encodings.items()))
        raise UserError(
            f"Encoding mismatch: {told}. We currently only support the same type of input and output encoding at the "
            "moment."
        )
    encoding = next(iter(encodings.values()), "")
    payloads = [payload for _, payload in sides if payload is not None]
    if encoding == "CSV":
        cells = [cell for payload in payloads for cell in csv_cells(payload.data)]
        return {f"_c{number}": cell or None for number, cell in enumerate(cells)}
    if encoding == "JSON":
        row: dict[str, str | None] = {}
        for name, payload in sides:
            assert payload is not None
            for key, cell in flat(_json(payload.data, record.where)).items():
                row[key if key not in row else f"{name}.{key}"] = cell
        return row
    if not encodings:
        return {}
    raise UserError(
        f"Unsupported encoding BASE64 at {record.where}: list the content type in CaptureContentTypeHeader of the "
        "endpoint's DataCaptureConfig, or bring a record preprocessor script"
    )


def csv_cells(text: str) -> list[str]:
    """A body of several lines is one cell."""
    text = text.rstrip("\r\n")
    if "\n" in text or "\r" in text:
        return [text]
    return next(csv.reader([text]), [])


def _sides(record: Record, settings: Settings) -> list[tuple[str, Payload | None]]:
    sides = [(ENDPOINT_OUTPUT, record.output), (ENDPOINT_INPUT, record.input)]
    if not settings.format.outputs_first:
        sides.reverse()
    return [side for side in sides if side[0] in settings.format.indices]


def _record(document: Mapping[str, Any], where: str) -> Record:
    captured = document.get("captureData")
    metadata = document.get("eventMetadata")
    if not isinstance(captured, dict) or not isinstance(metadata, dict):
        raise UserError(f"{where} is not a captured record: it needs captureData and eventMetadata")
    return Record(
        input=_payload(captured.get(ENDPOINT_INPUT), where),
        output=_payload(captured.get(ENDPOINT_OUTPUT, captured.get("batchTransformOutput")), where),
        truth=_payload(document.get("groundTruthData"), where),
        metadata=metadata,
        version=str(document.get("eventVersion", "")),
        where=where,
    )


def _payload(side: Any, where: str) -> Payload | None:
    if side is None:
        return None
    if not isinstance(side, dict) or not isinstance(side.get("data"), str):
        raise UserError(f"{where} is not a captured record: a side of it has no data")
    data, encoding, content_type = side["data"], str(side.get("encoding", "")), str(side.get("observedContentType", ""))
    if encoding != "BASE64":
        return Payload(data, encoding, content_type)
    kind = content_type.partition(";")[0].strip().lower()
    known = {"text/csv": "CSV", "application/json": "JSON"}.get(kind)
    if known is None:
        return Payload(data, encoding, content_type)
    try:
        return Payload(base64.b64decode(data, validate=True).decode(), known, content_type)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UserError(f"{where} is not a captured record: its {kind} is not base64 of UTF-8 text") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"a body at {where} is not JSON: {error}") from error


def is_within(document: Mapping[str, Any], settings: Settings, where: str) -> bool:
    """``start <= inferenceTime < end``: more than the window may have been downloaded
    (docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html, ``dataset_source``)."""
    text = (document.get("eventMetadata") or {}).get("inferenceTime")
    if not isinstance(text, str) or (settings.start is None and settings.end is None):
        return True
    moment = parse_time(text, f"inferenceTime at {where}")
    return (settings.start is None or moment >= settings.start) and (settings.end is None or moment < settings.end)
