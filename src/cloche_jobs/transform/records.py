"""Records of a payload, in the formats that filters and joins understand: CSV, JSON Lines, JSON.

A row of CSV is a list of texts (AWS: "each row is taken as a JSON array"), and its text stays as it was: ``0.10`` is
never made ``0.1``. A line without quotes is split at its commas; only where there are quotes a parser is asked. Lines
that are empty are no records.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Rows = list[Any]

CSV = "csv"
LINES = "jsonlines"
JSON = "json"
FORMS = {
    "text/csv": CSV,
    "application/jsonlines": LINES,
    "application/x-jsonlines": LINES,
    "application/json": JSON,
}


class Malformed(ValueError):
    """What is read is not what its type says. ``line`` counts from 0 among the records; -1: it is not known."""

    def __init__(self, message: str, line: int = -1) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def form_of(content_type: str | None) -> str | None:
    """What data of that media type is; ``None`` where nobody here reads it."""
    return FORMS.get((content_type or "").partition(";")[0].strip().lower())


def lines_of(payload: bytes) -> list[bytes]:
    """The lines that are records, without their ends."""
    lines = payload.split(b"\n")
    if b"\r" in payload:
        lines = [line.removesuffix(b"\r") for line in lines]
    return [line for line in lines if line] if b"" in lines else lines


def read_csv(payload: bytes, is_lines: bool) -> Rows:
    text = _text(payload)
    lines = text.split("\n")
    if "\r" in text:
        lines = [line.removesuffix("\r") for line in lines]
    if "" in lines:
        lines = [line for line in lines if line]
    if '"' not in text:
        return [line.split(",") for line in lines]
    rows = []
    for number, line in enumerate(lines):
        try:
            rows.append(next(csv.reader([line], strict=True)))
        except (csv.Error, StopIteration) as error:
            raise Malformed(f"{error}: {line[:200]}", number) from error
    return rows


def write_csv(rows: Iterable[Any]) -> list[str]:
    return [_cell(row) if isinstance(row, str) else _row(row) for row in rows]


def read_json(payload: bytes, is_lines: bool) -> Rows:
    """One document, or one on each line."""
    if not is_lines:
        return [_parsed(payload, 0)]
    return read_json_lines(payload, True)


def read_json_lines(payload: bytes, is_lines: bool) -> Rows:
    return [_parsed(line, number) for number, line in enumerate(lines_of(payload))]


def write_json(rows: Iterable[Any]) -> list[str]:
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return [dump(row) for row in rows]


READERS: dict[str, Callable[[bytes, bool], Rows]] = {CSV: read_csv, LINES: read_json_lines, JSON: read_json}
WRITERS: dict[str, Callable[[Iterable[Any]], list[str]]] = {CSV: write_csv, LINES: write_json, JSON: write_json}
NAMES = {CSV: "CSV", LINES: "JSON Lines", JSON: "JSON"}


def _parsed(text: bytes, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{error}: {text[:200].decode('utf-8', 'replace')}", number) from error


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        where = len(lines_of(payload[: error.start] + b"x")) - 1
        raise Malformed(f"byte {payload[error.start]:#04x} is no text in UTF-8", where) from error


def _row(cells: Sequence[str]) -> str:
    """As they are, where that reads back as so many cells; only else each is looked at."""
    line = ",".join(cells)
    if '"' not in line and line.count(",") == len(cells) - 1 and "\n" not in line and "\r" not in line:
        return line
    return ",".join(map(_cell, cells))


def _cell(value: str) -> str:
    if '"' in value or "," in value or "\r" in value or "\n" in value:
        return '"' + value.replace('"', '""') + '"'
    return value
